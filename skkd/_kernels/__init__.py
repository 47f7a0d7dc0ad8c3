"""Compiled inner loops: Numba, and Numba only here.

Modules of this package are imported inside functions, at the moment a compiled loop pays for
itself, so that ``import skkd`` stays free of Numba.
"""
