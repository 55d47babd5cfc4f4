"""What does stability cost?"""
