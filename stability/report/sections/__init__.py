"""The page's sections: finished estimates in, blocks of words, figures and tables out."""
