"""The softmax between two products on Hopper, by what each thread holds: a row of 64 lies in 4 threads of one warp.

A row's peak is raised only where a score is `2 ** HEADROOM` times above what it stands for, as FlashAttention-4 does:
most steps then leave the sums before them as they are. Weights are at most `2 ** HEADROOM`, well within both dtypes,
and the result is the same softmax.
"""

from __future__ import annotations

from triton.experimental import gluon
from triton.experimental.gluon import language as gl

HEADROOM = gl.constexpr(8.0)
"""Binary orders of magnitude by which weights may pass 1 before a row's peak is raised."""

_RAISE = gl.constexpr(
    f"""{{
    .reg .pred any, one, two; .reg .f32 one_limit, two_limit, one_top, two_top, other;
    add.f32 one_limit, $6, {HEADROOM.value:.1f}; setp.gt.f32 one, $4, one_limit;
    add.f32 two_limit, $7, {HEADROOM.value:.1f}; setp.gt.f32 two, $5, two_limit;
    or.pred any, one, two; vote.sync.any.pred any, any, -1; selp.b32 $2, 1, 0, any; selp.b32 $3, 1, 0, any;
    mov.f32 $0, $6; mov.f32 $1, $7;
    @!any bra.uni DONE;
    shfl.sync.bfly.b32 other, $4, 1, 31, -1; max.f32 one_top, $4, other;
    shfl.sync.bfly.b32 other, one_top, 2, 31, -1; max.f32 one_top, one_top, other;
    shfl.sync.bfly.b32 other, $5, 1, 31, -1; max.f32 two_top, $5, other;
    shfl.sync.bfly.b32 other, two_top, 2, 31, -1; max.f32 two_top, two_top, other;
    setp.gt.f32 one, one_top, one_limit; selp.f32 $0, one_top, $6, one;
    setp.gt.f32 two, two_top, two_limit; selp.f32 $1, two_top, $7, two;
    DONE: }}"""
)


@gluon.constexpr_function
def _shrink(entries: int) -> str:
    """Assembly that multiplies entries by factors unless the flag is 0."""
    kept = "".join(f"mov.f32 ${i}, ${entries + i};" for i in range(entries))
    products = "".join(f"mul.f32 ${i}, ${entries + i}, ${2 * entries + i};" for i in range(entries))
    flag = f"${3 * entries}"
    return f"{{ .reg .pred same; setp.eq.s32 same, {flag}, 0; {kept} @same bra.uni DONE; {products} DONE: }}"


@gluon.constexpr_function
def _shrink_registers(entries: int) -> str:
    return ",".join(["=f"] * entries + ["f"] * (2 * entries) + ["r"] * entries)


@gluon.jit
def by_threads(x):
    """`[64, n]` of a product by what each of a row's 4 threads holds, `[64, n / 8, 4, 2]`: nothing moves."""
    return x.reshape([64, x.shape[1] // 8, 4, 2])


@gluon.jit
def to_threads(x):
    """`[64, 4]`, a number for each thread of a row, to go with `by_threads`."""
    return gl.expand_dims(gl.expand_dims(x, 1), 3)


@gluon.jit
def row_tops(x):
    """The largest entry that each thread holds of a row, `[64, 4]`."""
    return gl.max(gl.max(by_threads(x), 3), 1)


@gluon.jit
def row_sums(x):
    """The sum of what each thread holds of a row, `[64, 4]`; one over the threads is due once a tile."""
    return gl.sum(gl.sum(by_threads(x), 3), 1)


@gluon.jit
def raised(highest, peak):
    """The rows' peaks with these scores, and whether (1 or 0) any peak of the warp moved; both `[64, 4]`.

    Threads exchange their largest scores only where one of the warp is beyond `HEADROOM`. That this branches keeps the
    assembler from moving the wait behind it ahead of the search for the largest scores.
    """
    return gl.inline_asm_elementwise(
        _RAISE, "=f,=f,=r,=r,f,f,f,f", [highest, peak], dtype=(gl.float32, gl.int32), is_pure=True, pack=2
    )


@gluon.jit
def shrunk(o, shrink, moved, SIZE: gl.constexpr, layout: gl.constexpr):
    """Rows of `o` times `shrink`, where any row of the warp has another than 1."""
    entries = by_threads(o)
    rows: gl.constexpr = gl.SliceLayout(1, gl.SliceLayout(3, entries.type.layout))
    factors = to_threads(gl.convert_layout(shrink, rows, assert_trivial=True)) + gl.zeros_like(entries)
    flags = to_threads(gl.convert_layout(moved, rows, assert_trivial=True)) + gl.zeros_like(entries).to(gl.int32)
    held: gl.constexpr = SIZE // 2
    entries = gl.inline_asm_elementwise(
        _shrink(held), _shrink_registers(held), [entries, factors, flags], dtype=gl.float32, is_pure=True, pack=held
    )
    return gl.convert_layout(entries.reshape([64, SIZE]), layout, assert_trivial=True)
