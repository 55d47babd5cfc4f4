"""`stability export`: a study's runs for other tools, by their own libraries, imported when asked for."""
