"""What can a design tell before anything is trained?"""
