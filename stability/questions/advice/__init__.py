"""How likely does a run at a setting succeed, and what would help?"""
