"""How do runs end, and which level of the main factor succeeds most often?"""
