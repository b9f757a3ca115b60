"""Views that any deck can place: the flock map, strips over time, words about ballots and nodes.

`view` says what instruments see, `base` what they are. What is shown is computed by pure functions
of a view in the modules of the same names; the classes beside them only draw it.
"""
