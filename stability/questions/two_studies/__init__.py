"""Where do two studies differ?"""
