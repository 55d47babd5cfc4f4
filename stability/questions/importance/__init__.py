"""Which hyperparameters matter?"""
