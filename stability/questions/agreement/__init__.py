"""How far do judges and rules agree?"""
