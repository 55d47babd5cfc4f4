"""Do the rates hold on narrower parts of the space?"""
