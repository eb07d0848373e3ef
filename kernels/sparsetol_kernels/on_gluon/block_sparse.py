"""Block-sparse causal attention for Hopper: a producer warp loads by TMA, two warpgroups of 64 rows each compute.

Programs are persistent: each takes every n-th tile of 128 query rows, heads one after the other and long rows first, so
that programs at work at the same time share keys in L2 and short rows fill the end. While one tile is finished, the
producer already loads the next one's queries and keys.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from triton.experimental import gluon
from triton.experimental.gluon import language as gl
from triton.experimental.gluon.language.nvidia.hopper import (
    fence_async_shared,
    mbarrier,
    tma,
    warpgroup_mma,
    warpgroup_mma_wait,
)
from triton.experimental.gluon.nvidia.hopper import TensorDescriptor

from sparsetol_kernels.errors import BackendError
from sparsetol_kernels.on_gluon.softmax import by_threads, raised, row_sums, row_tops, shrunk, to_threads

# Renamed in Triton 3.9.
async_load = getattr(tma, "async_load", None) or tma.async_copy_global_to_shared
async_store = getattr(tma, "async_store", None) or tma.async_copy_shared_to_global

BLOCK = 128
"""Rows of a tile and keys of a block."""

HALF = 64
"""Rows of one warpgroup."""


@gluon.jit
def _tile(t, Count, Starts, heads, index_heads, row_blocks, length, PADDED: gl.constexpr):
    """The tile's sequence, query head, first row, first position, list and how many blocks it has."""
    row_block = row_blocks - 1 - t % row_blocks
    head = t // row_blocks % heads
    batch = t // row_blocks // heads
    list_of = (batch * index_heads + head // (heads // index_heads)) * row_blocks + row_block
    start = 0
    if PADDED:
        start = gl.load(Starts + batch)
    first_row = row_block * 128
    listed = gl.load(Count + list_of, mask=first_row < length - start, other=0)
    return batch, head, first_row, start, list_of, listed


@gluon.jit
def _produce(
    q_desc, k_desc, v_desc, q_shared, k_shared, v_shared, q_ready, q_free, k_ready, k_free, v_ready, v_free,
    Index, Count, Starts, heads, index_heads, row_blocks, most, length, tiles, first, span, step, GROUP: gl.constexpr,
    PADDED: gl.constexpr, STAGES: gl.constexpr, QUERIES: gl.constexpr,
):  # fmt: skip
    taken = 0
    turn = 0
    for t in range(gl.program_id(0) * first, gl.minimum(gl.program_id(0) * first + span, tiles), step):
        batch, head, first_row, start, list_of, listed = _tile(
            t, Count, Starts, heads, index_heads, row_blocks, length, PADDED
        )
        blocks = Index + list_of.to(gl.int64) * most
        if listed > 0:
            place = turn % QUERIES
            mbarrier.wait(q_free.index(place), ((turn // QUERIES) & 1) ^ 1)
            mbarrier.expect(q_ready.index(place), q_desc.block_type.nbytes * 2)
            row = start + first_row
            async_load(q_desc, [batch, head, row, 0], q_ready.index(place), q_shared.index(place * 2))
            async_load(q_desc, [batch, head, row + 64, 0], q_ready.index(place), q_shared.index(place * 2 + 1))
            turn += 1
        for i in range(listed):
            slot = taken % STAGES
            parity = ((taken // STAGES) & 1) ^ 1
            # The last block of a list is the only one that causality cuts, and it is taken first.
            key = start + gl.load(blocks + listed - 1 - i) * 128
            mbarrier.wait(k_free.index(slot), parity)
            mbarrier.expect(k_ready.index(slot), k_desc.block_type.nbytes)
            async_load(k_desc, [batch, head // GROUP, key, 0], k_ready.index(slot), k_shared.index(slot))
            mbarrier.wait(v_free.index(slot), parity)
            mbarrier.expect(v_ready.index(slot), v_desc.block_type.nbytes)
            async_load(v_desc, [batch, head // GROUP, key, 0], v_ready.index(slot), v_shared.index(slot))
            taken += 1


@gluon.jit
def _consume(
    o_desc, q_shared, k_shared, v_shared, q_ready, q_free, k_ready, k_free, v_ready, v_free, Out, LogSum,
    Index, Count, Starts, scale, heads, index_heads, row_blocks, most, length, tiles, first, span, step,
    out_batch, out_head, out_row, SIZE: gl.constexpr, PADDED: gl.constexpr, LOG_SUM: gl.constexpr, STAGES: gl.constexpr,
    QUERIES: gl.constexpr, WHICH: gl.constexpr, dtype: gl.constexpr,
):  # fmt: skip
    s_layout: gl.constexpr = gl.NVMMADistributedLayout(version=[3, 0], warps_per_cta=[4, 1], instr_shape=[16, 128, 16])
    o_layout: gl.constexpr = gl.NVMMADistributedLayout(version=[3, 0], warps_per_cta=[4, 1], instr_shape=[16, SIZE, 16])
    p_layout: gl.constexpr = gl.DotOperandLayout(operand_index=0, parent=o_layout, k_width=2)
    s_rows: gl.constexpr = gl.SliceLayout(1, s_layout)
    o_rows: gl.constexpr = gl.SliceLayout(1, o_layout)
    nothing = gl.zeros([64, 128], gl.float32, s_layout)
    within = WHICH * 64 + gl.arange(0, 64, layout=s_rows)
    column = gl.arange(0, 128, layout=gl.SliceLayout(0, s_layout))
    taken = 0
    turn = 0
    following = _tile(gl.program_id(0) * first, Count, Starts, heads, index_heads, row_blocks, length, PADDED)
    for t in range(gl.program_id(0) * first, gl.minimum(gl.program_id(0) * first + span, tiles), step):
        batch, head, first_row, start, list_of, listed = following
        # The next tile's count is on its way while this one is computed.
        following = _tile(
            gl.minimum(t + step, tiles - 1), Count, Starts, heads, index_heads, row_blocks, length, PADDED
        )
        out_rows = first_row + WHICH * 64 + gl.arange(0, 64, layout=o_rows)
        if listed > 0:
            place = turn % QUERIES
            query = q_shared.index(place * 2 + WHICH).reshape([64, SIZE])
            last_key = gl.load(Index + list_of.to(gl.int64) * most + listed - 1) * 128
            mbarrier.wait(q_ready.index(place), (turn // QUERIES) & 1)
            slot = taken % STAGES
            mbarrier.wait(k_ready.index(slot), (taken // STAGES) & 1)
            s = warpgroup_mma(
                query, k_shared.index(slot).reshape([128, SIZE]).permute((1, 0)), nothing, use_acc=False, is_async=True
            )
            # Meanwhile the last tile's output has left its place, which its queries had before.
            tma.store_wait(0)
            mbarrier.arrive(q_free.index((turn + QUERIES - 1) % QUERIES), count=1, pred=turn > 0)
            s = warpgroup_mma_wait(0, deps=(s,))
            mbarrier.arrive(k_free.index(slot), count=1)
            row = first_row + within
            s = gl.where(gl.expand_dims(row, 1) >= gl.expand_dims(last_key + column, 0), s, -1e30)
            highest = row_tops(s) * scale
            peak = gl.expand_dims(gl.max(highest, 1), 1) + gl.zeros_like(highest)
            p = gl.exp2(by_threads(s) * scale - to_threads(peak)).reshape([64, 128])
            total = row_sums(p)
            weights = gl.convert_layout(p.to(dtype), p_layout, assert_trivial=True)
            o = gl.zeros([64, SIZE], gl.float32, o_layout)
            for _ in range(1, listed):
                before = taken % STAGES
                before_parity = (taken // STAGES) & 1
                taken += 1
                slot = taken % STAGES
                mbarrier.wait(k_ready.index(slot), (taken // STAGES) & 1)
                s_next = warpgroup_mma(
                    query, k_shared.index(slot).reshape([128, SIZE]).permute((1, 0)), nothing,
                    use_acc=False, is_async=True,
                )  # fmt: skip
                mbarrier.wait(v_ready.index(before), before_parity)
                o_next = warpgroup_mma(weights, v_shared.index(before).reshape([128, SIZE]), o, is_async=True)
                s = warpgroup_mma_wait(1, deps=(s_next,))
                mbarrier.arrive(k_free.index(slot), count=1)
                higher, moved = raised(row_tops(s) * scale, peak)
                # By now the second product is all but done, and its weights may be overwritten.
                o, weights, higher = warpgroup_mma_wait(0, deps=(o_next, weights, higher))
                mbarrier.arrive(v_free.index(before), count=1)
                shrink = gl.exp2(peak - higher)
                peak = higher
                o = shrunk(o, shrink, moved, SIZE, o_layout)
                p = gl.exp2(by_threads(s) * scale - to_threads(peak)).reshape([64, 128])
                total = total * shrink + row_sums(p)
                weights = gl.convert_layout(p.to(dtype), p_layout, assert_trivial=True)
            slot = taken % STAGES
            mbarrier.wait(v_ready.index(slot), (taken // STAGES) & 1)
            o = warpgroup_mma(weights, v_shared.index(slot).reshape([128, SIZE]), o, is_async=True)
            o = warpgroup_mma_wait(0, deps=(o,))
            mbarrier.arrive(v_free.index(slot), count=1)
            taken += 1
            # Every row has a key: of its own block at least itself, of an earlier one all.
            whole = gl.convert_layout(gl.sum(total, 1), s_rows)
            o = o * gl.expand_dims(gl.convert_layout(1.0 / whole, o_rows), 1)
            if LOG_SUM:
                kept = LogSum + (batch * heads + head).to(gl.int64) * length + start
                highest = gl.convert_layout(gl.max(peak, 1), s_rows)
                gl.store(kept + row, (highest + gl.log2(whole)) * 0.6931471805599453, mask=row < length - start)
            query.store(o.to(dtype))
            fence_async_shared()
            async_store(o_desc, [batch, head, start + first_row + WHICH * 64, 0], q_shared.index(place * 2 + WHICH))
            turn += 1
        else:
            channel = gl.arange(0, SIZE, layout=gl.SliceLayout(0, o_layout))
            base = Out + batch.to(gl.int64) * out_batch + head.to(gl.int64) * out_head
            at = (start + out_rows).to(gl.int64) * out_row
            gl.store(
                base + gl.expand_dims(at, 1) + gl.expand_dims(channel, 0), gl.zeros([64, SIZE], dtype, o_layout),
                mask=gl.expand_dims(out_rows < length - start, 1),
            )  # fmt: skip
    tma.store_wait(0)


@gluon.jit
def block_sparse_forward(
    q_desc, k_desc, v_desc, o_desc, Out, LogSum, Index, Count, Starts, scale, heads, index_heads, row_blocks, most,
    length, tiles, first, span, step, out_batch, out_head, out_row,
    GROUP: gl.constexpr, SIZE: gl.constexpr, PADDED: gl.constexpr, LOG_SUM: gl.constexpr, STAGES: gl.constexpr,
    QUERIES: gl.constexpr, dtype: gl.constexpr, num_warps: gl.constexpr,  # noqa: ARG001  # Triton reads it
):  # fmt: skip
    """Grid: as many programs as take all `tiles`, batch x query heads x row blocks.

    A program takes the tiles from its number times `first` on, in steps of `step`, for `span`.
    """
    q_shared = gl.allocate_shared_memory(dtype, [2 * QUERIES, 1, 1, 64, SIZE], q_desc.layout)
    k_shared = gl.allocate_shared_memory(dtype, [STAGES, 1, 1, 128, SIZE], k_desc.layout)
    v_shared = gl.allocate_shared_memory(dtype, [STAGES, 1, 1, 128, SIZE], v_desc.layout)
    q_ready = gl.allocate_shared_memory(gl.int64, [QUERIES, 1], mbarrier.MBarrierLayout())
    q_free = gl.allocate_shared_memory(gl.int64, [QUERIES, 1], mbarrier.MBarrierLayout())
    k_ready = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    k_free = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    v_ready = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    v_free = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    for i in gl.static_range(QUERIES):
        mbarrier.init(q_ready.index(i), count=1)
        mbarrier.init(q_free.index(i), count=2)
    for i in gl.static_range(STAGES):
        mbarrier.init(k_ready.index(i), count=1)
        mbarrier.init(v_ready.index(i), count=1)
        mbarrier.init(k_free.index(i), count=2)
        mbarrier.init(v_free.index(i), count=2)
    gl.warp_specialize(
        [
            (
                _consume,
                (
                    o_desc, q_shared, k_shared, v_shared, q_ready, q_free, k_ready, k_free, v_ready, v_free, Out,
                    LogSum, Index, Count, Starts, scale, heads, index_heads, row_blocks, most, length, tiles,
                    first, span, step, out_batch, out_head, out_row, SIZE, PADDED, LOG_SUM, STAGES, QUERIES, 0, dtype,
                ),
            ),
            (
                _consume,
                (
                    o_desc, q_shared, k_shared, v_shared, q_ready, q_free, k_ready, k_free, v_ready, v_free, Out,
                    LogSum, Index, Count, Starts, scale, heads, index_heads, row_blocks, most, length, tiles,
                    first, span, step, out_batch, out_head, out_row, SIZE, PADDED, LOG_SUM, STAGES, QUERIES, 1, dtype,
                ),
            ),
            (
                _produce,
                (
                    q_desc, k_desc, v_desc, q_shared, k_shared, v_shared, q_ready, q_free, k_ready, k_free, v_ready,
                    v_free, Index, Count, Starts, heads, index_heads, row_blocks, most, length, tiles,
                    first, span, step, GROUP,
                    PADDED, STAGES, QUERIES,
                ),
            ),
        ],
        [4, 1],
        [240, 24],
    )  # fmt: skip


LAUNCH = {"num_warps": 4, "maxnreg": 168}
"""Registers at launch: the warpgroups that multiply take 240, and the producer gives its own up."""

LONG = 76
"""Blocks in the longest list from which on programs end after `TOGETHER` tiles."""

TOGETHER = 2
"""Neighbouring tiles that such a program takes: new programs start where tiles are due, so that none falls behind."""

QUERIES = 2
"""Places for queries: the next tile's are loaded while this one's are used, and hold its output after that."""


def stages_for(size: int) -> int:
    """Blocks of keys, and of values, that are in flight at a time: what fits shared memory beside the queries."""
    return 2 if size > 64 else 4


@functools.cache
def shared_layout(rows: int, size: int, dtype: gl.dtype) -> gl.NVMMASharedLayout:
    """How rows of one head lie in shared memory."""
    return gl.NVMMASharedLayout.get_default_for([1, 1, rows, size], dtype)


class _Described(TensorDescriptor):  # type: ignore[misc]  # Triton leaves it untyped
    """A descriptor of a tensor that was found to fit: its own checks would take the host as long again as making it."""

    def __post_init__(self) -> None:
        """Check nothing."""


def forward(
    query: Tensor, key: Tensor, value: Tensor, index: Tensor, count: Tensor, block: int, *,
    starts: Tensor | None, scale: float, softcap: float | None, sinks: Tensor | None, log_sum: bool,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """`block_sparse_attention` with inputs that were checked and fit TMA."""
    if block != BLOCK or softcap is not None or sinks is not None:
        raise BackendError(f"the Hopper kernel takes blocks of {BLOCK}, no soft-cap and no sinks")
    batch, heads, length, size = query.shape
    new = query.new_empty if starts is None else query.new_zeros
    out = new(batch, length, heads, size).transpose(1, 2)
    sums = query.new_full((batch, heads, length), -math.inf, dtype=torch.float32) if log_sum else None
    dtype = {torch.bfloat16: gl.bfloat16, torch.float16: gl.float16}[query.dtype]

    def described(tensor: Tensor, rows: int) -> TensorDescriptor:
        layout = shared_layout(rows, size, dtype)
        return _Described(tensor, tensor.shape, tensor.stride(), [1, 1, rows, size], layout)

    tiles = batch * heads * index.shape[2]
    programs, first, span, step = _schedule(tiles, index.shape[3], _multiprocessors(query.device))
    block_sparse_forward[(programs,)](
        described(query, HALF), described(key, BLOCK), described(value, BLOCK), described(out, HALF), out, sums,
        index, count, starts, scale * math.log2(math.e), heads, index.shape[1], index.shape[2], index.shape[3],
        length, tiles, first, span, step, *out.stride()[:3],
        GROUP=heads // key.shape[1], SIZE=size, PADDED=starts is not None, LOG_SUM=log_sum, STAGES=stages_for(size),
        QUERIES=QUERIES, dtype=dtype, **LAUNCH,
    )  # fmt: skip
    return out, sums


def _schedule(tiles: int, most: int, multiprocessors: int) -> tuple[int, int, int, int]:
    """Programs, and `first`, `span` and `step` of their tiles."""
    if most < LONG:
        programs = min(tiles, multiprocessors)
        return programs, 1, tiles, programs
    return -(-tiles // TOGETHER), TOGETHER, TOGETHER, 1


@functools.cache
def _multiprocessors(device: torch.device) -> int:
    count: int = torch.cuda.get_device_properties(device).multi_processor_count
    return count
