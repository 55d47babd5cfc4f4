"""Is it the configuration or the seed, and what is the best of k points?"""
