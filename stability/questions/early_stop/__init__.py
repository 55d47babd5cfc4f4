"""What would an early stop have stopped, and how much of it wrongly?"""
