"""What cuBLASLt does with the products of a layer of Llama 3.1 8B: does it have an algorithm for FP8
with outer-vector scales, bf16 C and beta 1; what do its candidates take; what does a call cost the
host. /opt/torch/.venv/bin/python3 .gpu/lt_probe.py [TOKENS]; about 40 s."""

import ctypes as C
import glob
import os
import statistics
import sys
import time

import torch

root = os.path.dirname(os.path.dirname(torch.__file__))
found = sorted(glob.glob(root + "/nvidia/**/libcublasLt.so.1[0-9]", recursive=True))
lt = C.CDLL(found[-1] if found else "libcublasLt.so.13")
lt.cublasLtGetVersion.restype = C.c_size_t
lt.cublasLtGetStatusName.restype = C.c_char_p
print("cuBLASLt", lt.cublasLtGetVersion(), found, torch.__version__, torch.cuda.get_device_name())

BF16, F32, E4M3 = 14, 0, 28
COMPUTE_32F = 68
OUTER_VEC = 3
WORKSPACE = 32 << 20
TORCH = {BF16: torch.bfloat16, F32: torch.float32, E4M3: torch.float8_e4m3fn}
vp = C.c_void_p


class Result(C.Structure):
    _fields_ = [
        ("algo", C.c_uint64 * 8),
        ("workspace", C.c_size_t),
        ("state", C.c_int),
        ("waves", C.c_float),
        ("reserved", C.c_int * 4),
    ]


def ok(status, what):
    if status != 0:
        raise RuntimeError(f"{what}: {lt.cublasLtGetStatusName(status).decode()}")


def attr(fn, handle, attribute, value, what):
    ok(fn(handle, C.c_int(attribute), C.byref(value), C.c_size_t(C.sizeof(value))), what)


handle = vp()
ok(lt.cublasLtCreate(C.byref(handle)), "create")
workspace = torch.empty(WORKSPACE, dtype=torch.uint8, device="cuda")
stream = vp(torch.cuda.current_stream().cuda_stream)


class Product:
    """Row-major out[m, n] = alpha left right + beta out; tl, tr: the memory is the transpose."""

    def __init__(self, name, m, n, k, ab, d, tl, tr, beta, align=16, fast=1, ld_out=None, ld_left=None):
        self.name, self.m, self.n, self.k = name, m, n, k
        self.ab, self.d, self.tl, self.tr, self.beta = ab, d, tl, tr, beta
        self.desc = vp()
        ok(lt.cublasLtMatmulDescCreate(C.byref(self.desc), COMPUTE_32F, F32), "desc")
        s = lt.cublasLtMatmulDescSetAttribute
        # column-major: A is the right operand, B the left one
        attr(s, self.desc, 3, C.c_int(1 if tr else 0), "transa")
        attr(s, self.desc, 4, C.c_int(1 if tl else 0), "transb")
        if ab == E4M3:
            attr(s, self.desc, 25, C.c_int8(fast), "fast accum")
            attr(s, self.desc, 31, C.c_int(OUTER_VEC), "a scale mode")
            attr(s, self.desc, 32, C.c_int(OUTER_VEC), "b scale mode")
            self.sa = torch.rand(n, device="cuda") + 0.5
            self.sb = torch.rand(m, device="cuda") + 0.5
            attr(s, self.desc, 17, vp(self.sa.data_ptr()), "a scale")
            attr(s, self.desc, 18, vp(self.sb.data_ptr()), "b scale")
        ld_out = ld_out or n
        ld_left = ld_left or (m if tl else k)
        self.right = self.random(n if tr else k, k if tr else n)
        self.left = self.random(k if tl else m, ld_left)
        self.out = torch.randn(m, ld_out, device="cuda", dtype=TORCH[d])
        self.la = self.layout(ab, k if tr else n, n if tr else k, k if tr else n)
        self.lb = self.layout(ab, m if tl else k, k if tl else m, ld_left)
        self.lc = self.layout(d, n, m, ld_out)
        self.pref = vp()
        ok(lt.cublasLtMatmulPreferenceCreate(C.byref(self.pref)), "preference")
        p = lt.cublasLtMatmulPreferenceSetAttribute
        attr(p, self.pref, 1, C.c_size_t(WORKSPACE), "workspace")
        for a in (5, 6, 7, 8):
            attr(p, self.pref, a, C.c_uint32(align), "alignment")
        self.alpha, self.b = C.c_float(1), C.c_float(beta)
        self.call_out = self.out

    def random(self, rows, columns):
        values = torch.randn(rows, columns, device="cuda", dtype=torch.bfloat16)
        return values.to(TORCH[self.ab])

    @staticmethod
    def layout(dtype, rows, columns, ld):
        layout = vp()
        ok(
            lt.cublasLtMatrixLayoutCreate(
                C.byref(layout), dtype, C.c_uint64(rows), C.c_uint64(columns), C.c_int64(ld)
            ),
            "layout",
        )
        return layout

    def candidates(self, count=8):
        results = (Result * count)()
        got = C.c_int()
        status = lt.cublasLtMatmulAlgoGetHeuristic(
            handle, self.desc, self.la, self.lb, self.lc, self.lc, self.pref, count, results, C.byref(got)
        )
        if status != 0:
            print(f"{self.name}: NO ALGORITHM, {lt.cublasLtGetStatusName(status).decode()}")
            return []
        return list(results[: got.value])

    def call(self, result):
        return lt.cublasLtMatmul(
            handle, self.desc, C.byref(self.alpha), vp(self.right.data_ptr()), self.la,
            vp(self.left.data_ptr()), self.lb, C.byref(self.b), vp(self.call_out.data_ptr()), self.lc,
            vp(self.call_out.data_ptr()), self.lc, C.byref(result.algo), vp(workspace.data_ptr()),
            C.c_size_t(WORKSPACE), stream,
        )

    def error(self, result):
        """Relative to fp32, of one call on the values that are there."""
        self.call_out = self.out.clone()
        ok(self.call(result), self.name)
        left, right = self.left.float(), self.right.float()
        left = left[:, : self.m].t() if self.tl else left[:, : self.k]
        right = right.t() if self.tr else right
        if self.ab == E4M3:
            left, right = left * self.sb[:, None], right * self.sa[None, :]
        part = min(256, self.m)
        expected = left[:part] @ right + self.beta * self.out[:part, : self.n].float()
        found = self.call_out[:part, : self.n].float()
        self.call_out = self.out
        return ((found - expected).norm() / expected.norm()).item()

    def micros(self, result, runs=7):
        times = []
        for i in range(-2, runs):
            a, b = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            a.record()
            if self.call(result) != 0:
                return float("nan")
            b.record()
            b.synchronize()
            if i >= 0:
                times.append(1000 * a.elapsed_time(b))
        return statistics.median(times)


def config(result, attribute):
    value, written = C.c_uint32(), C.c_size_t()
    lt.cublasLtMatmulAlgoConfigGetAttribute(
        C.byref(result.algo), attribute, C.byref(value), C.c_size_t(4), C.byref(written)
    )
    return value.value


def show(product, count=8):
    try:
        candidates = product.candidates(count)
        if not candidates:
            return
        times = [product.micros(r) for r in candidates]
        best = min(t for t in times if t == t)
        print(
            f"{product.name}: first {times[0]:.1f} us, best {best:.1f} us of {len(times)}, "
            f"error {product.error(candidates[0]):.2e}"
        )
        for r, t in zip(candidates, times):
            print(
                f"    {t:8.1f} us  algo {config(r, 0)} tile {config(r, 1)} stages {config(r, 6)} "
                f"splitk {config(r, 2)} reduction {config(r, 3)} workspace {r.workspace} waves {r.waves:.2f}"
            )
    except RuntimeError as e:
        print(f"{product.name}: {e}")
    finally:
        torch.cuda.synchronize()
    sys.stdout.flush()


T = int(sys.argv[1]) if len(sys.argv) > 1 else 4096
R = 64
GROUPS = {"qkv": (4096, [4096, 1024, 1024]), "o": (4096, [4096]), "gate_up": (4096, [14336] * 2), "down": (14336, [4096])}

print("== frozen products, FP8, scales of rows and columns, bf16 result")
for name, (fan_in, outs) in GROUPS.items():
    out = sum(outs)
    for beta in (0.0, 1.0):
        show(Product(f"{name} forward beta {beta}", T, out, fan_in, E4M3, BF16, False, True, beta), 4)
        show(Product(f"{name} backward beta {beta}", T, fan_in, out, E4M3, BF16, False, True, beta), 4)
show(Product("o forward beta 1, alignment 256", T, 4096, 4096, E4M3, BF16, False, True, 1.0, align=256), 4)
show(Product("o forward beta 1, no fast accumulation", T, 4096, 4096, E4M3, BF16, False, True, 1.0, fast=0), 4)

print("== adapters, bf16")
for name, (fan_in, outs) in GROUPS.items():
    out, rank = sum(outs), R * len(outs)
    show(Product(f"{name} low = x A^T", T, rank, fan_in, BF16, BF16, False, True, 0.0))
    show(Product(f"{name} dX = dLow A, beta 0", T, fan_in, rank, BF16, BF16, False, False, 0.0))
    show(Product(f"{name} dX += dLow A, beta 1", T, fan_in, rank, BF16, BF16, False, False, 1.0))
    show(Product(f"{name} dA += dLow^T x, fp32", rank, fan_in, T, BF16, F32, True, False, 1.0))
    for part in sorted(set(outs)):
        at = f"{name}[{part}]"
        show(Product(f"{at} y = low B^T, beta 0", T, part, R, BF16, BF16, False, True, 0.0, ld_out=out, ld_left=rank))
        show(Product(f"{at} y += low B^T, beta 1", T, part, R, BF16, BF16, False, True, 1.0, ld_out=out, ld_left=rank))
        show(Product(f"{at} dLow = dY B", T, R, part, BF16, BF16, False, False, 0.0, ld_out=rank, ld_left=out))
        show(Product(f"{at} dB += dY^T low, fp32", part, R, T, BF16, F32, True, False, 1.0, ld_left=out))

print("== what a call costs the host (through ctypes), 64 tokens")
for small in (
    Product("FP8 o forward", 64, 4096, 4096, E4M3, BF16, False, True, 0.0),
    Product("bf16 low", 64, 64, 4096, BF16, BF16, False, True, 0.0),
):
    candidates = small.candidates(1)
    if candidates:
        for _ in range(50):
            small.call(candidates[0])
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(200):
            small.call(candidates[0])
        took = time.perf_counter() - begin
        torch.cuda.synchronize()
        print(f"{small.name}: {1e6 * took / 200:.1f} us a call")
begin = time.perf_counter()
for _ in range(2000):
    lt.cublasLtGetVersion()
print(f"ctypes itself: {1e6 * (time.perf_counter() - begin) / 2000:.2f} us")
