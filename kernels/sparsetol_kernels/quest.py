"""Quest's page scores, by definition."""

from __future__ import annotations

from torch import Tensor


def quest_page_scores(query: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Upper bounds of the query-key products in each page, summed over the query heads of a key head.

    Source: Tang et al. 2024, arXiv 2406.10774, section 3.3; summed over the group as in arXiv 2504.17768.

    Args:
        query: `[query heads, head size]`.
        low: channel-wise minimum of each page's keys, `[key heads, pages, head size]`.
        high: channel-wise maximum, likewise.

    Returns:
        float32 `[key heads, pages]`.

    """
    heads = low.shape[0]
    grouped = query.float().view(heads, -1, 1, query.shape[1])
    bound: Tensor = (grouped * low.float()[:, None]).maximum(grouped * high.float()[:, None])
    return bound.sum(dim=(1, 3))
