"""Questions, a folder each: what is estimated, its figure, its section; `all` has their order."""
