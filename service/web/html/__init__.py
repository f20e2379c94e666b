"""HTML plumbing: templates, catalogues of words, values and charts."""
