// RMS norms, gated activations and the label loss in bf16, forward and backward; `rows.py` calls it.
//
// Each goes over its operands once or twice. Results are rounded where torch's operators round them in a forward pass;
// in a backward pass only at the end.

#include <cmath>

#include "products.hpp"

using namespace bsft;

namespace {

constexpr int64_t kSummed = 1024;  // numbers that are added before they meet the sum, so that small ones are not lost

inline __m512 widen(__m256i x) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16)); }

inline __m512 load(const bf16* from) { return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))); }

inline __m512 rounded(__m512 x) { return widen(to_bf16(x)); }

inline float widen(bf16 x) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float wide;
  std::memcpy(&wide, &bits, sizeof wide);
  return wide;
}

// The lanes of 16 numbers from i on that are below n.
inline __mmask16 below(int64_t n, int64_t i) {
  return n - i >= kLanes ? 0xffff : static_cast<__mmask16>((1u << (n - i)) - 1);
}

inline __m512 load(const bf16* from, __mmask16 lanes) { return widen(_mm256_maskz_loadu_epi16(lanes, from)); }

inline void store_one(bf16* to, float x) {
  _mm256_mask_storeu_epi16(to, 1, to_bf16(_mm512_set1_ps(x)));
}

// 2^x also for numbers that overflow, and for infinite ones.
inline __m512 exp2_of_any(__m512 x) { return exp2_of(_mm512_min_ps(_mm512_set1_ps(200.f), x)); }

inline __m512 sigmoid(__m512 x) {
  const __m512 one = _mm512_set1_ps(1.f);
  return _mm512_div_ps(one, _mm512_add_ps(one, exp2_of_any(_mm512_mul_ps(x, _mm512_set1_ps(-kLog2e)))));
}

}  // namespace

extern "C" {

// weight * (x / rms(x)) for rows of `dim` numbers, a multiple of 16; scales: 1 / rms(x) of each row.
void bsft_rms_norm(const bf16* x, const bf16* weight, float eps, int64_t n_rows, int dim, bf16* out, float* scales,
                   int n_threads) {
#pragma omp parallel for schedule(static) num_threads(n_threads)
  for (int64_t row = 0; row < n_rows; ++row) {
    const bf16* from = x + row * dim;
    __m512 squares = _mm512_setzero_ps();
    for (int i = 0; i < dim; i += kLanes) squares = _mm512_fmadd_ps(load(from + i), load(from + i), squares);
    scales[row] = 1.f / std::sqrt(_mm512_reduce_add_ps(squares) / dim + eps);
    const __m512 scale = _mm512_set1_ps(scales[row]);
    for (int i = 0; i < dim; i += kLanes) {
      const __m512 normed = rounded(_mm512_mul_ps(load(from + i), scale));
      store(out + row * dim + i, to_bf16(_mm512_mul_ps(load(weight + i), normed)));
    }
  }
}

void bsft_rms_norm_backward(const bf16* grad, const bf16* x, const bf16* weight, const float* scales, int64_t n_rows,
                            int dim, bf16* grad_x, int n_threads) {
#pragma omp parallel for schedule(static) num_threads(n_threads)
  for (int64_t row = 0; row < n_rows; ++row) {
    const bf16 *g = grad + row * dim, *from = x + row * dim;
    const __m512 scale = _mm512_set1_ps(scales[row]);
    __m512 sum = _mm512_setzero_ps();
    for (int i = 0; i < dim; i += kLanes)
      sum = _mm512_fmadd_ps(_mm512_mul_ps(load(g + i), load(weight + i)), load(from + i), sum);
    // of the gradient, what lies along the normed row: its mean is sum * scale / dim, and a factor of the row's scale
    const __m512 along = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / dim * scales[row] * scales[row]);
    for (int i = 0; i < dim; i += kLanes) {
      const __m512 across = _mm512_fnmadd_ps(load(from + i), along, _mm512_mul_ps(load(g + i), load(weight + i)));
      store(grad_x + row * dim + i, to_bf16(_mm512_mul_ps(across, scale)));
    }
  }
}

// silu(gate) * up of n numbers, a multiple of 16.
void bsft_gated(const bf16* gate, const bf16* up, int64_t n, bf16* out, int n_threads) {
#pragma omp parallel for schedule(static) num_threads(n_threads)
  for (int64_t i = 0; i < n; i += kLanes) {
    const __m512 x = load(gate + i);
    store(out + i, to_bf16(_mm512_mul_ps(rounded(_mm512_mul_ps(x, sigmoid(x))), load(up + i))));
  }
}

// grad_gate may be grad.
void bsft_gated_backward(const bf16* grad, const bf16* gate, const bf16* up, int64_t n, bf16* grad_gate, bf16* grad_up,
                         int n_threads) {
#pragma omp parallel for schedule(static) num_threads(n_threads)
  for (int64_t i = 0; i < n; i += kLanes) {
    const __m512 g = load(grad + i), x = load(gate + i), s = sigmoid(x), one = _mm512_set1_ps(1.f);
    const __m512 slope = _mm512_mul_ps(s, _mm512_fmadd_ps(x, _mm512_sub_ps(one, s), one));
    store(grad_up + i, to_bf16(_mm512_mul_ps(g, _mm512_mul_ps(x, s))));
    store(grad_gate + i, to_bf16(_mm512_mul_ps(_mm512_mul_ps(g, load(up + i)), slope)));
  }
}

// The logarithm of each row's sum of exponentials; n is any number.
void bsft_log_normalizers(const bf16* logits, int64_t n_rows, int64_t n, float* out, int n_threads) {
#pragma omp parallel for schedule(static) num_threads(n_threads)
  for (int64_t row = 0; row < n_rows; ++row) {
    const bf16* x = logits + row * n;
    __m512 largest = _mm512_set1_ps(-INFINITY), sum = _mm512_setzero_ps();
    for (int64_t i = 0; i < n; i += kLanes) {
      const __mmask16 lanes = below(n, i);
      largest = _mm512_mask_max_ps(largest, lanes, largest, load(x + i, lanes));
    }
    const float highest = _mm512_reduce_max_ps(largest), top = std::isinf(highest) ? 0.f : highest;
    const __m512 factor = _mm512_set1_ps(kLog2e), shift = _mm512_set1_ps(top);
    for (int64_t first = 0; first < n; first += kSummed) {
      __m512 part = _mm512_setzero_ps();
      for (int64_t i = first; i < std::min(n, first + kSummed); i += kLanes) {
        const __mmask16 lanes = below(n, i);
        const __m512 p = exp2_of_any(_mm512_mul_ps(_mm512_sub_ps(load(x + i, lanes), shift), factor));
        part = _mm512_mask_add_ps(part, lanes, part, p);
      }
      sum = _mm512_add_ps(sum, part);
    }
    out[row] = top + std::log(_mm512_reduce_add_ps(sum));
  }
}

// The gradient of the sum over rows of scale * -log softmax(logits)[target].
void bsft_label_gradient(const bf16* logits, const int64_t* targets, const float* normalizers, const float* scales,
                         int64_t n_rows, int64_t n, bf16* grad, int n_threads) {
#pragma omp parallel for schedule(static) num_threads(n_threads)
  for (int64_t row = 0; row < n_rows; ++row) {
    const bf16* x = logits + row * n;
    bf16* out = grad + row * n;
    const __m512 factor = _mm512_set1_ps(kLog2e), shift = _mm512_set1_ps(normalizers[row] * kLog2e);
    const __m512 scale = _mm512_set1_ps(scales[row]);
    for (int64_t i = 0; i < n; i += kLanes) {
      const __mmask16 lanes = below(n, i);
      const __m512 p = exp2_of(_mm512_fmsub_ps(load(x + i, lanes), factor, shift));
      _mm256_mask_storeu_epi16(out + i, lanes, to_bf16(_mm512_mul_ps(p, scale)));
    }
    const float p = std::exp(widen(x[targets[row]]) - normalizers[row]);
    store_one(out + targets[row], (p - 1.f) * scales[row]);
  }
}

}  // extern "C"
