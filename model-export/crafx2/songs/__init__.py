"""Procedural songs: arrangement (what is played), instruments and voice (how it sounds), effects (how it is mixed).

Everything is drawn from one `numpy.random.Generator`, so a seed names a song.
"""
