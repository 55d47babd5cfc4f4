"""Does the ranking depend on thresholds or on the horizon?"""
