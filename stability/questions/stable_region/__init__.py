"""Where do runs succeed, and which ranges are safe?"""
