"""Which differences between methods are significant: the procedures of boards, as functions of plain arrays.

- ``paired``: methods over seeds: step-down paired t-tests, the pooled test for few seeds and its guard.
- ``flips``: methods over queries: joint sign flips of groups of queries.
- ``curves``: one number of a learning curve: area, labels to reach a target, label savings.
- ``penalty``: pairwise penalty matrix of Ash et al. (2020), a summary and no verdict.
- ``power``: what a number of seeds can detect, and how many seeds a difference takes.
- ``sequential``: adding seeds until all comparisons are decided.

Only numpy and ``scipy.special``, and of that nothing where quantiles of t are all (``distributions``): ``scipy.stats``
takes a second to load and a leaderboard should answer at once.
"""
