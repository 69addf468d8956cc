"""Stand-ins: small generated data and networks in the exact formats and layouts of published ones.

They answer "will my plan run?" before a download or a week of computing, and prove in tests that a board can be
measured from start to end. A marker file tells them from real data everywhere: their numbers are not comparable.
"""
