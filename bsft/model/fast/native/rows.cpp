// RMS norms from float32 to bf16 and gated activations in bf16, forward and backward; `rows.py` calls it.
//
// Each goes over its operands once or twice. Results are rounded where torch's operators round them in a forward pass;
// in a backward pass only at the end.

#include <cmath>

#include "products.hpp"

using namespace bsft;

namespace {

inline __m512 widen(__m256i x) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16)); }

inline __m512 load(const bf16* from) { return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))); }

inline __m512 rounded(__m512 x) { return widen(to_bf16(x)); }

// 2^x also for numbers that overflow, and for infinite ones.
inline __m512 exp2_of_any(__m512 x) { return exp2_of(_mm512_min_ps(_mm512_set1_ps(200.f), x)); }

inline __m512 sigmoid(__m512 x) {
  const __m512 one = _mm512_set1_ps(1.f);
  return _mm512_div_ps(one, _mm512_add_ps(one, exp2_of_any(_mm512_mul_ps(x, _mm512_set1_ps(-kLog2e)))));
}

}  // namespace

extern "C" {

// weight * (x / rms(x)) for rows of `dim` numbers, a multiple of 16; scales: 1 / rms(x) of each row.
void bsft_rms_norm(const float* x, const float* weight, float eps, int64_t n_rows, int dim, bf16* out, float* scales,
                   int n_threads) {
#pragma omp parallel for schedule(static) num_threads(n_threads)
  for (int64_t row = 0; row < n_rows; ++row) {
    const float* from = x + row * dim;
    __m512 squares = _mm512_setzero_ps();
    for (int i = 0; i < dim; i += kLanes)
      squares = _mm512_fmadd_ps(_mm512_loadu_ps(from + i), _mm512_loadu_ps(from + i), squares);
    scales[row] = 1.f / std::sqrt(_mm512_reduce_add_ps(squares) / dim + eps);
    const __m512 scale = _mm512_set1_ps(scales[row]);
    for (int i = 0; i < dim; i += kLanes) {
      const __m512 normed = _mm512_mul_ps(_mm512_loadu_ps(from + i), scale);
      store(out + row * dim + i, to_bf16(_mm512_mul_ps(_mm512_loadu_ps(weight + i), normed)));
    }
  }
}

void bsft_rms_norm_backward(const bf16* grad, const float* x, const float* weight, const float* scales, int64_t n_rows,
                            int dim, float* grad_x, int n_threads) {
#pragma omp parallel for schedule(static) num_threads(n_threads)
  for (int64_t row = 0; row < n_rows; ++row) {
    const bf16* g = grad + row * dim;
    const float* from = x + row * dim;
    const __m512 scale = _mm512_set1_ps(scales[row]);
    __m512 sum = _mm512_setzero_ps();
    for (int i = 0; i < dim; i += kLanes)
      sum = _mm512_fmadd_ps(_mm512_mul_ps(load(g + i), _mm512_loadu_ps(weight + i)), _mm512_loadu_ps(from + i), sum);
    // of the gradient, what lies along the normed row: its mean is sum * scale / dim, and a factor of the row's scale
    const __m512 along = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / dim * scales[row] * scales[row]);
    for (int i = 0; i < dim; i += kLanes) {
      const __m512 own = _mm512_mul_ps(load(g + i), _mm512_loadu_ps(weight + i));
      const __m512 across = _mm512_fnmadd_ps(_mm512_loadu_ps(from + i), along, own);
      _mm512_storeu_ps(grad_x + row * dim + i, _mm512_mul_ps(across, scale));
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

}  // extern "C"
