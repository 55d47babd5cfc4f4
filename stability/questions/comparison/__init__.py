"""Which levels of the main factor differ, and in how far?"""
