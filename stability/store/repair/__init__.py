"""A results folder examined; what is damaged in it mended or moved out of the way. Works without torch."""
