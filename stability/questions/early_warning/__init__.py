"""Which diagnostic foretells how a healthy run ends?"""
