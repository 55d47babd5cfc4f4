"""What sections of the page are made of: estimates in words, tables, blocks, pictures, parts of figures."""
