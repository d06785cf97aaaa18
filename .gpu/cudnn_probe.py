"""Attention by cuDNN's backend API against libtorch's, on one GPU. Usage: python3 cudnn_probe.py

One line each for: time a layer, TFLOP/s, workspace, largest error against float32, bits over 3 runs.
With CUDNN_PROBE_DEVICE=FILE (properties of a device as JSON) only the plans are made; no GPU.
"""
import ctypes as C, glob, math, os, sys, time

FLOAT, INT32, BOOL, BF16 = 0, 4, 11, 9            # cudnnDataType_t
T_HANDLE, T_DT, T_BOOL, T_I64, T_F32, T_PTR = 0, 1, 2, 3, 4, 6
T_HEUR, T_NOTE, T_PW, T_DESC, T_RED, T_CHAR = 8, 11, 14, 15, 18, 24
ADD, MUL, DIV, SUB, EXP, LOG, IDENT, GE, LT, AND, INDEX, SELECT = 0, 1, 6, 9, 13, 15, 21, 303, 304, 400, 501, 601


def find():
    for p in [os.environ.get("CUDNN_LIB")] + glob.glob(sys.prefix + "/lib/python3*/site-packages/nvidia/cudnn/lib"):
        if p and os.path.exists(p + "/libcudnn.so.9"):
            return p + "/libcudnn.so.9"
    return "libcudnn.so.9"


class Api:
    def __init__(self):
        self.c = C.CDLL(find(), mode=C.RTLD_GLOBAL)
        self.c.cudnnGetVersion.restype = C.c_size_t
        self.version = self.c.cudnnGetVersion()
        self.handle = None
        self.prop = None

    def ok(self, status, what):
        if status:
            b = C.create_string_buffer(4000)
            self.c.cudnnGetLastErrorString(b, 4000)
            raise RuntimeError(f"{what}: status {status}: {b.value.decode()[:3000]}")

    def desc(self, kind):
        d = C.c_void_p()
        self.ok(self.c.cudnnBackendCreateDescriptor(kind, C.byref(d)), f"create {kind}")
        return d

    def set(self, d, attr, typ, ctyp, values):
        a = (ctyp * len(values))(*values)
        self.ok(self.c.cudnnBackendSetAttribute(d, attr, typ, C.c_int64(len(values)), a), f"set {attr}")

    def get(self, d, attr, typ, ctyp, n):
        a = (ctyp * n)()
        m = C.c_int64()
        self.ok(self.c.cudnnBackendGetAttribute(d, attr, typ, C.c_int64(n), C.byref(m), a), f"get {attr}")
        return list(a[: min(n, m.value)])

    def fin(self, d, what):
        self.ok(self.c.cudnnBackendFinalize(d), "finalize " + what)
        return d

    def link(self, d, attr, *descs):
        self.set(d, attr, T_DESC, C.c_void_p, [x.value for x in descs])


class Graph:
    def __init__(self, api):
        self.a, self.ops, self.uid, self.const, self.ws = api, [], 0, {}, {}

    def tensor(self, dims, strides, dt=FLOAT, virtual=True, value=None, ragged=None):
        a, d = self.a, self.a.desc(17)
        self.uid += 1
        a.set(d, 906, T_I64, C.c_int64, [self.uid])
        a.set(d, 901, T_DT, C.c_int, [dt])
        a.set(d, 902, T_I64, C.c_int64, dims)
        a.set(d, 903, T_I64, C.c_int64, strides)
        a.set(d, 900, T_I64, C.c_int64, [16])
        a.set(d, 907, T_BOOL, C.c_bool, [virtual and value is None])
        if value is not None:
            a.set(d, 908, T_BOOL, C.c_bool, [True])
            self.const[self.uid] = C.c_float(value)
        if ragged is not None:
            a.link(d, 913, ragged)
        d.uid = self.uid
        d.dims, d.strides = dims, strides
        return a.fin(d, "tensor")

    def like(self, t, dt=FLOAT):
        return self.tensor(t.dims, t.strides, dt)

    def pw(self, mode, x, b=None, t=None, y=None, dt=FLOAT, math=FLOAT, axis=None):
        a, p = self.a, self.a.desc(0)
        a.set(p, 0, T_PW, C.c_int, [mode])
        a.set(p, 1, T_DT, C.c_int, [math])
        if axis is not None:
            a.set(p, 9, T_I64, C.c_int64, [axis])
        a.fin(p, "pointwise")
        y = y or self.like(x, dt)
        o = a.desc(13)
        a.link(o, 750, p); a.link(o, 751, x); a.link(o, 753, y)
        if b is not None: a.link(o, 752, b)
        if t is not None: a.link(o, 758, t)
        self.ops.append(a.fin(o, f"pointwise operation {mode}"))
        return y

    def matmul(self, x, w, y, m=None, n=None, k=None):
        a, p = self.a, self.a.desc(18)
        a.set(p, 1500, T_DT, C.c_int, [FLOAT]); a.fin(p, "matmul")
        o = a.desc(19)
        a.link(o, 1520, x); a.link(o, 1521, w); a.link(o, 1522, y); a.link(o, 1523, p)
        for at, t in ((1525, m), (1526, n), (1527, k)):
            if t is not None: a.link(o, at, t)
        self.ops.append(a.fin(o, "matmul operation"))
        return y

    def reduce(self, mode, x, y):
        a, p = self.a, self.a.desc(21)
        a.set(p, 1600, T_RED, C.c_int, [mode]); a.set(p, 1601, T_DT, C.c_int, [FLOAT]); a.fin(p, "reduction")
        o = a.desc(22)
        a.link(o, 1610, x); a.link(o, 1611, y); a.link(o, 1612, p)
        self.ops.append(a.fin(o, "reduction operation"))
        return y

    def reshape(self, x, y):
        o = self.a.desc(31)
        self.a.link(o, 2200, x); self.a.link(o, 2201, y)
        self.ops.append(self.a.fin(o, "reshape operation"))
        return y

    def plan(self):
        a, g = self.a, self.a.desc(15)
        if a.handle: a.set(g, 800, T_HANDLE, C.c_void_p, [a.handle.value])
        a.link(g, 801, *self.ops)
        a.fin(g, "operation graph")
        h = a.desc(4)
        a.link(h, 201, g); a.set(h, 200, T_HEUR, C.c_int, [3])
        if a.prop: a.link(h, 204, a.prop)
        a.fin(h, "heuristics")
        cfgs = [a.desc(3) for _ in range(8)]
        n = C.c_int64()
        arr = (C.c_void_p * 8)(*[x.value for x in cfgs])
        a.ok(a.c.cudnnBackendGetAttribute(h, 202, T_DESC, C.c_int64(8), C.byref(n), arr), "heuristics' results")
        err = "no engine"
        for cfg in cfgs[: n.value]:
            try:
                e = a.desc(2)
                pe = (C.c_void_p * 1)(e.value); m = C.c_int64()
                a.ok(a.c.cudnnBackendGetAttribute(cfg, 300, T_DESC, C.c_int64(1), C.byref(m), pe), "engine")
                self.engine = a.get(e, 1301, T_I64, C.c_int64, 1)[0]
                self.notes = a.get(e, 1303, T_NOTE, C.c_int, 10)
                p = a.desc(5)
                if a.handle: a.set(p, 400, T_HANDLE, C.c_void_p, [a.handle.value])
                a.link(p, 401, cfg)
                if a.prop: a.link(p, 407, a.prop)
                a.fin(p, "plan")
                self.workspace = a.get(p, 402, T_I64, C.c_int64, 1)[0]
                self.p = p
                return self
            except RuntimeError as x:
                err = x
        raise RuntimeError(f"{n.value} configs: {err}")

    def run(self, pointers, workspace):
        a, v = self.a, self.a.desc(16)
        u = list(pointers) + list(self.const)
        ptr = list(pointers.values()) + [C.addressof(x) for x in self.const.values()]
        a.set(v, 1000, T_I64, C.c_int64, u)
        a.set(v, 1001, T_PTR, C.c_void_p, ptr)
        a.set(v, 1003, T_PTR, C.c_void_p, [workspace])
        a.fin(v, "variant pack")
        a.ok(a.c.cudnnBackendExecute(a.handle, self.p, v), "execute")
        a.c.cudnnBackendDestroyDescriptor(v)


class Sdpa:
    """Rows B, longest S, tokens T; q, k, v views of [T, (Hq + 2 Hk) D]."""

    def __init__(self, api, B, S, T, Hq, Hk, D, forward, det):
        self.g = g = Graph(api)
        J = (Hq + 2 * Hk) * D
        off = lambda: g.tensor([B + 1, 1, 1, 1], [1, 1, 1, 1], INT32, False)
        length = lambda: g.tensor([B, 1, 1, 1], [1, 1, 1, 1], INT32, False)
        self.rJ, self.rQ, self.rS, self.lq, self.lk = off(), off(), off(), length(), length()
        thd = lambda H, st, r, dt=BF16: g.tensor([B, H, S, D], [S * st, D, st, 1], dt, False, None, r)
        tr = lambda H, st, r: g.tensor([B, H, D, S], [S * st, D, 1, st], BF16, False, None, r)
        self.stats = lambda virt=False: g.tensor([B, Hq, S, 1], [S * Hq, 1, Hq, 1], FLOAT, False, None, self.rS)
        scale = lambda: g.tensor([1] * 4, [1] * 4, value=1 / math.sqrt(D))
        big = lambda dt=FLOAT: g.tensor([B, Hq, S, S], [Hq * S * S, S * S, S, 1], dt)
        bigT = lambda: g.tensor([B, Hq, S, S], [Hq * S * S, S * S, 1, S], BF16)
        col = lambda: g.tensor([B, Hq, S, 1], [Hq * S, S, 1, 1])

        def masked(s):
            ninf = lambda: g.tensor([1] * 4, [1] * 4, value=float("-inf"))
            r = g.pw(INDEX, s, dt=INT32, math=INT32, axis=2); c = g.pw(INDEX, s, dt=INT32, math=INT32, axis=3)
            rm = g.pw(LT, r, self.lq, dt=BOOL, math=BOOL); cm = g.pw(LT, c, self.lk, dt=BOOL, math=BOOL)
            s = g.pw(SELECT, s, ninf(), g.pw(AND, rm, cm, dt=BOOL, math=BOOL))
            r = g.pw(INDEX, s, dt=INT32, axis=2); c = g.pw(INDEX, s, dt=INT32, axis=3)
            return g.pw(SELECT, s, ninf(), g.pw(GE, r, c, dt=BOOL, math=BOOL))

        self.q, self.k = thd(Hq, J, self.rJ), tr(Hk, J, self.rJ)
        if forward:
            self.v, self.o, self.lse = thd(Hk, J, self.rJ), thd(Hq, Hq * D, self.rQ), self.stats()
            s = g.matmul(self.q, self.k, big(), m=self.lq, n=self.lk)
            s = masked(g.pw(MUL, s, scale()))
            mx = g.reduce(3, s, col())
            e = g.pw(EXP, g.pw(SUB, s, mx))
            z = g.reduce(0, e, col())
            g.pw(ADD, mx, g.pw(LOG, z), y=self.lse)
            p = g.pw(DIV, e, z, dt=BF16)
            g.matmul(p, self.v, self.o, m=self.lq, k=self.lk)
            self.tensors = dict(q=self.q, k=self.k, v=self.v, o=self.o, lse=self.lse)
        else:
            rK = off()
            self.v = tr(Hk, J, self.rJ)
            o, do, lse = thd(Hq, Hq * D, self.rQ), thd(Hq, Hq * D, self.rQ), self.stats()
            dq, dk, dv = thd(Hq, Hq * D, self.rQ), thd(Hk, Hk * D, rK), thd(Hk, Hk * D, rK)
            x = g.tensor([B, Hq, S, D], [Hq * S * D, S * D, Hq * D, 1])
            x = g.reduce(0, g.pw(MUL, do, o, y=x), col())
            ds = g.pw(MUL, x, g.tensor([1] * 4, [1] * 4, value=1.0), y=self.stats())
            self.scratch = {ds.uid: T * Hq * 4}
            s = g.matmul(self.q, self.k, big(), m=self.lq, n=self.lk)
            s = g.pw(SUB, g.pw(MUL, s, scale()), lse)
            e = g.pw(EXP, masked(s))

            def keys(x, w, out):
                y = out
                if Hq != Hk:
                    # strides of the result times the group: cuDNN multiplies the offsets likewise
                    y = g.tensor([B, Hq, S, D], [S * Hq * D, D, Hq * D, 1], BF16, False, None, rK)
                    self.scratch[y.uid] = T * Hq * D * 4
                g.matmul(g.reshape(x, bigT()), w, y, m=self.lk, k=self.lq)
                if Hq != Hk: g.reduce(0, y, out)

            keys(e, do, dv)
            dp = g.matmul(do, self.v, big(), m=self.lq, n=self.lk)
            d = g.pw(MUL, g.pw(MUL, g.pw(SUB, dp, ds), e), scale())
            keys(d, self.q, dk)
            kk = g.reshape(self.k, g.tensor([B, Hk, S, D], [S * J, D, J, 1], BF16, True, None, self.rJ))
            if det:
                g.matmul(d, kk, dq, m=self.lq, k=self.lk)
            else:
                acc = thd(Hq, Hq * D, self.rQ, FLOAT)
                self.scratch[acc.uid] = T * Hq * D * 4
                g.pw(IDENT, g.matmul(d, kk, acc, m=self.lq, k=self.lk), y=dq)
            self.tensors = dict(q=self.q, k=self.k, v=self.v, o=o, do=do, lse=lse, dq=dq, dk=dk, dv=dv)
            self.rK = rK
        t = time.time()
        g.plan()
        self.build_s = time.time() - t

    def bytes(self):
        return self.g.workspace + sum(getattr(self, "scratch", {}).values())

    def line(self):
        return f"engine {self.g.engine} notes {self.g.notes} workspace {self.bytes() / 1e6:.1f} MB (cuDNN's {self.g.workspace / 1e6:.1f}) built in {self.build_s:.2f} s"


def offline(path):
    api = Api()
    api.prop = api.desc(38)
    js = open(path).read().strip().encode()
    api.set(api.prop, 2702, T_CHAR, C.c_char, js)
    api.fin(api.prop, "device")
    for B, S, T, Hq, Hk, D in ((4, 1024, 4096, 32, 8, 128), (3, 8192, 9000, 32, 8, 128), (4, 1024, 4096, 64, 8, 128), (4, 1024, 4096, 8, 8, 64), (1, 128, 1, 4, 2, 64), (1, 128, 64, 4, 2, 16)):
        for f, det in ((True, True), (False, True), (False, False)):
            try:
                print(B, S, T, Hq, Hk, D, "forward" if f else "backward", "det" if det else "", Sdpa(api, B, S, T, Hq, Hk, D, f, det).line())
            except RuntimeError as e:
                print(B, S, T, Hq, Hk, D, "forward" if f else "backward", det, e)


def main():
    import torch
    dev = "cuda"
    torch.manual_seed(0)
    api = Api()
    api.handle = C.c_void_p()
    api.ok(api.c.cudnnCreate(C.byref(api.handle)), "cudnnCreate")
    api.ok(api.c.cudnnSetStream(api.handle, C.c_void_p(torch.cuda.current_stream().cuda_stream)), "stream")
    print("cuDNN", api.version, "torch", torch.__version__, torch.cuda.get_device_name(), flush=True)
    torch.use_deterministic_algorithms(True)

    def timed(f, n=30):
        for _ in range(5): f()
        torch.cuda.synchronize()
        best = []
        for _ in range(3):
            a, b = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            a.record()
            for _ in range(n): f()
            b.record(); torch.cuda.synchronize()
            best.append(a.elapsed_time(b) / n * 1000)
        return min(best)

    def case(lengths, Hq, Hk, D, extra=0, S=None):
        T, B = sum(lengths), len(lengths) + extra
        S = S or (max(lengths) + 127) // 128 * 128
        J = (Hq + 2 * Hk) * D
        print(f"== rows {lengths if len(lengths) < 12 else len(lengths)} + {extra} empty, S {S}, heads {Hq}/{Hk} x {D}", flush=True)
        qkv = torch.randn(T, J, device=dev, dtype=torch.bfloat16)
        q, k, v = (x.view(T, -1, D) for x in qkv.split([Hq * D, Hk * D, Hk * D], 1))
        do = torch.randn(T, Hq, D, device=dev, dtype=torch.bfloat16)
        starts = [0]
        for n in lengths: starts.append(starts[-1] + n)
        cu = torch.tensor(starts, device=dev, dtype=torch.int32)
        pad = torch.tensor(starts + [T] * extra, device=dev, dtype=torch.int32)
        lens = torch.tensor(list(lengths) + [0] * extra, device=dev, dtype=torch.int32)
        offs = {m: pad * m for m in (J, Hq * D, Hk * D, Hq)}
        flops = sum(n * n for n in lengths) / 2 * Hq * D * 4
        ref = None
        if max(lengths) <= 2048:
            # float32, row by row
            xs = [x.detach().float().requires_grad_() for x in (q, k, v)]
            outs = []
            for a, n in zip(starts, lengths):
                Q, K, V = (x[a:a + n].transpose(0, 1) for x in xs)
                K, V = (x.repeat_interleave(Hq // Hk, 0) for x in (K, V))
                s = (Q @ K.transpose(1, 2)) / math.sqrt(D)
                s = s.masked_fill(torch.ones(n, n, device=dev, dtype=torch.bool).triu(1), float("-inf"))
                outs.append((s.softmax(-1) @ V).transpose(0, 1))
            o32 = torch.cat(outs)
            o32.backward(do.float())
            ref = [o32.detach()] + [x.grad for x in xs]
        err = lambda xs, r: "no reference" if ref is None else " ".join(f"{(x.float() - y).abs().max().item():.4f}/{y.abs().max().item():.1f}" for x, y in zip(xs, r))

        def report(name, f, us, w, xs, r, bits):
            print(f"{name:24s} {us:8.1f} us {w * flops / us / 1e6:6.0f} TFLOP/s  error {err(xs, r)}  same bits: {bits}", flush=True)

        fa = lambda: torch.ops.aten._flash_attention_forward(q, k, v, cu, cu, max(lengths), max(lengths), 0.0, True, False)
        o, lse, seed, zero = fa()[:4]
        report("flash forward", fa, timed(fa), 1, [o], (ref or [0])[:1], "-")
        fb = lambda: torch.ops.aten._flash_attention_backward(do, q, k, v, o, lse, cu, cu, max(lengths), max(lengths), 0.0, True, seed, zero)
        g3 = fb()
        report("flash backward det", fb, timed(fb), 2.5, g3, (ref or [0])[1:], all(torch.equal(x, y) for x, y in zip(g3, fb())))

        try:
            s = Sdpa(api, B, S, T, Hq, Hk, D, True, True)
            O = torch.full((T + 64, Hq, D), 7.0, device=dev, dtype=torch.bfloat16)
            L = torch.full((T + 64, Hq), 7.0, device=dev)
            W = torch.empty(max(1, s.bytes()), device=dev, dtype=torch.uint8)
            p = {s.rJ.uid: offs[J].data_ptr(), s.rQ.uid: offs[Hq * D].data_ptr(), s.rS.uid: offs[Hq].data_ptr(), s.lq.uid: lens.data_ptr(), s.lk.uid: lens.data_ptr()}
            t = s.tensors
            p.update({t["q"].uid: q.data_ptr(), t["k"].uid: k.data_ptr(), t["v"].uid: v.data_ptr(), t["o"].uid: O.data_ptr(), t["lse"].uid: L.data_ptr()})
            f = lambda: s.g.run(p, W.data_ptr())
            print("cudnn forward:", s.line(), flush=True)
            us = timed(f)
            first, bits = (O.clone(), L.clone()), True
            for _ in range(3):
                f(); torch.cuda.synchronize(); bits &= torch.equal(O, first[0]) and torch.equal(L, first[1])
            report("cudnn forward", f, us, 1, [O[:T]], (ref or [0])[:1], bits)
            print("   beyond the end untouched:", bool((O[T:] == 7).all() and (L[T:] == 7).all()), " lse against flash:", (L[:T].t() - lse).abs().max().item() if lse.shape == (Hq, T) else lse.shape, flush=True)
        except Exception as e:
            print("cudnn forward FAILED:", e, flush=True); return
        for det in (True, False):
            try:
                b = Sdpa(api, B, S, T, Hq, Hk, D, False, det)
                print("cudnn backward:", b.line(), flush=True)
                if b.bytes() > 40e9: print("   too large"); continue
                G = [torch.full((T + 64, h, D), 7.0, device=dev, dtype=torch.bfloat16) for h in (Hq, Hk, Hk)]
                W = torch.empty(max(1, b.g.workspace), device=dev, dtype=torch.uint8)
                keep = {x: torch.full((n // 4 + 1024,), 7.0, device=dev) for x, n in b.scratch.items()}
                p = {b.rJ.uid: offs[J].data_ptr(), b.rQ.uid: offs[Hq * D].data_ptr(), b.rS.uid: offs[Hq].data_ptr(), b.rK.uid: offs[Hk * D].data_ptr(), b.lq.uid: lens.data_ptr(), b.lk.uid: lens.data_ptr()}
                p.update({u: x.data_ptr() for u, x in keep.items()})
                t = b.tensors
                p.update({t[n].uid: x.data_ptr() for n, x in dict(q=q, k=k, v=v, o=O, do=do, lse=L, dq=G[0], dk=G[1], dv=G[2]).items()})
                f = lambda: b.g.run(p, W.data_ptr())
                f(); torch.cuda.synchronize()
                print("   scratch touched up to (share of what was given):", [round(float((x != 7).nonzero().max() + 1) / (x.numel() - 1024), 3) for x in keep.values()], flush=True)
                us = timed(f, 10)
                first, bits = [x.clone() for x in G], True
                for _ in range(3):
                    f(); torch.cuda.synchronize(); bits &= all(torch.equal(x, y) for x, y in zip(G, first))
                report("cudnn backward" + (" det" if det else ""), f, us, 2.5, [x[:T] for x in G], (ref or [0])[1:], bits)
                print("   beyond the end untouched:", all(bool((x[T:] == 7).all()) for x in G), " against flash:", [round((x[:T].float() - y.float()).abs().max().item(), 4) for x, y in zip(G, g3)], flush=True)
            except Exception as e:
                print("cudnn backward", det, "FAILED:", e, flush=True)

    case([1024] * 4, 32, 8, 128)
    case([1024, 1, 500, 37, 2000, 534], 32, 8, 128, extra=2)
    case([1024] * 4, 64, 8, 128)
    case([300, 1, 200], 4, 2, 64, extra=1)
    case([8192, 1, 77], 32, 8, 128)
    case([128] * 32, 32, 8, 128)
    # libtorch's own cuDNN path over a dense batch, as a mark
    q = torch.randn(4, 32, 1024, 128, device=dev, dtype=torch.bfloat16)
    k, v = torch.randn(4, 32, 1024, 128, device=dev, dtype=torch.bfloat16), torch.randn(4, 32, 1024, 128, device=dev, dtype=torch.bfloat16)
    f = lambda: torch.ops.aten._scaled_dot_product_cudnn_attention(q, k, v, None, True, 0.0, True, False)
    print("libtorch cuDNN, dense, 32 KV heads: forward us", round(timed(f), 1))
    r = f()
    f = lambda: torch.ops.aten._scaled_dot_product_cudnn_attention_backward(q, q, k, v, r[0], r[1], r[6], r[7], None, r[2], r[3], r[4], r[5], 0.0, True)
    for det in (True, False):
        torch.use_deterministic_algorithms(det)
        try: print("libtorch cuDNN backward us, deterministic", det, round(timed(f, 10), 1))
        except Exception as e: print("libtorch cuDNN backward", det, str(e)[:200])


if os.environ.get("CUDNN_PROBE_DEVICE"):
    offline(os.environ["CUDNN_PROBE_DEVICE"])
else:
    main()
