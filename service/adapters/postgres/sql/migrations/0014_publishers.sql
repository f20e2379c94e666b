-- In whose name a token sends events: its publisher's, which all of its tokens share. Null: the token's own.
ALTER TABLE tokens ADD COLUMN publisher text;
