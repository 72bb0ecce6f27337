"""Small matrix products at the speed of large ones.

OpenBLAS copies its factors into packed blocks before it multiplies. For the product of one step, sixteen
rows by a few hundred columns, the copying takes longer than the multiplication. Where the processor has
AVX-512, OpenBLAS skips it if the product needs at most 10⁶ multiplications. So a product is cut into
tiles below that limit, which ``numpy.matmul`` computes in one call: two to three times as many operations
a second.
"""

from functools import lru_cache

import numpy
from threadpoolctl import threadpool_info

TILE_ROWS, TILE_COLUMNS = 8, 64
LIMIT = 1_000_000  # multiplications of a product that OpenBLAS computes without packing
ARCHITECTURES = {"SkylakeX", "Cooperlake", "SapphireRapids"}  # whose kernels know the limit


@lru_cache(maxsize=1)
def has_small_kernels():
    """Tell whether NumPy's BLAS computes small products without packing."""
    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    names = {x.get("architecture") for x in libraries if "mxnet" not in x["filepath"].lower()}
    return bool(names) and names <= ARCHITECTURES


class Factor:
    """The right factor W of many products.

    Parameters
    ----------
    W : ``(depth, width)``
    """

    def __init__(self, W):
        self.W: numpy.ndarray = numpy.ascontiguousarray(W)
        self.tiles: numpy.ndarray | None = None
        depth, width = W.shape
        if has_small_kernels() and width % TILE_COLUMNS == 0 and TILE_ROWS * TILE_COLUMNS * depth <= LIMIT:
            tiles = self.W.reshape(depth, width // TILE_COLUMNS, TILE_COLUMNS).transpose(1, 0, 2)
            self.tiles = numpy.ascontiguousarray(tiles)

    def __call__(self, A, out):
        """Write A W, with A ``(rows, depth)``, into ``out`` and return it."""
        tiled = 0
        if self.tiles is not None and len(A) >= TILE_ROWS:
            tiled = len(A) - len(A) % TILE_ROWS
            target = out[:tiled].reshape(-1, TILE_ROWS, len(self.tiles), TILE_COLUMNS).transpose(0, 2, 1, 3)
            numpy.matmul(A[:tiled].reshape(-1, 1, TILE_ROWS, A.shape[1]), self.tiles, out=target)
        if tiled < len(A):
            numpy.dot(A[tiled:], self.W, out=out[tiled:])
        return out
