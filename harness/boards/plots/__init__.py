"""Pictures of boards, of differences between rows and of agreement studies; the same data give the same bytes."""

from __future__ import annotations

from harness.boards.plots.agreement import agreement_plots
from harness.boards.plots.boards import plots, rank_plots
from harness.boards.plots.differences import difference_plots
from harness.boards.plots.savings import penalty_plot, saving_plots

__all__ = ["agreement_plots", "difference_plots", "penalty_plot", "plots", "rank_plots", "saving_plots"]
