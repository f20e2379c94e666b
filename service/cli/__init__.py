"""The command line: a module a group of commands, and how they tell what they do."""
