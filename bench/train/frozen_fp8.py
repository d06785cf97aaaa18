"""Frozen linear layers with their weights held as FP8 bytes in both layouts, a scale a row, for the peer: what a Python user
puts together for `x W` and `dY W^T` by Hopper's FP8 products, which want both operands row by row."""
import torch

E4M3 = torch.float8_e4m3fn


def rowwise(x):
    """x in E4M3 and the scale of every row."""
    scale = x.abs().amax(-1, keepdim=True).float().clamp(min=1e-12) / 448.0
    return (x.float() / scale).clamp(-448, 448).to(E4M3), scale


def product(x, weight, scale):
    """x [T, K] by weight [N, K] with a scale [N, 1]: [T, N]"""
    x8, x_scale = rowwise(x)
    return torch._scaled_mm(x8, weight.t(), scale_a=x_scale, scale_b=scale.t(), out_dtype=torch.bfloat16, use_fast_accum=True)


class FrozenProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, ws, wt, wts):
        ctx.save_for_backward(wt, wts)
        return product(x.reshape(-1, x.shape[-1]), w, ws).reshape(*x.shape[:-1], w.shape[0])

    @staticmethod
    def backward(ctx, dy):
        wt, wts = ctx.saved_tensors
        dx = product(dy.reshape(-1, dy.shape[-1]), wt, wts).reshape(*dy.shape[:-1], wt.shape[0])
        return dx, None, None, None, None


class FrozenFp8(torch.nn.Module):
    def __init__(self, linear):
        super().__init__()
        with torch.no_grad():
            for name, weight in (("w", linear.weight), ("wt", linear.weight.t().contiguous())):
                values, scale = rowwise(weight)
                self.register_buffer(name, values)
                self.register_buffer(name + "s", scale)

    def forward(self, x):
        return FrozenProduct.apply(x, self.w, self.ws, self.wt, self.wts)
