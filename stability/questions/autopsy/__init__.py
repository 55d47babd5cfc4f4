"""What do runs look like around a collapse or a saturation, and what moves first?"""
