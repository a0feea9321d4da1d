// Small products of bf16 matrices on processors with AVX512-BF16, summed in float32.
//
// A product takes six rows of A, wherever they lie, and a packed B: words of two bf16 numbers, of rows 2 * step and
// 2 * step + 1 of B, 64 columns wide. The instruction multiplies both pairs and adds.

#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <type_traits>

namespace bsft {

using bf16 = uint16_t;
using std::size_t;

constexpr int kRows = 6;    // six rows of four registers leave eight of 32 for the operands
constexpr int kLanes = 16;  // float32 numbers, or pairs of bf16 ones, in a register
constexpr int kWide = 64;   // columns of a packed operand
constexpr float kLog2e = 1.44269504f;

inline int round_up(int n, int to) { return (n + to - 1) / to * to; }

// 64-byte aligned memory that only grows; what it held is lost when it does.
template <class T>
class Memory {
 public:
  T* get(size_t n) {
    if (n > size_) {
      size_ = n;
      data_.reset(static_cast<T*>(std::aligned_alloc(64, (n * sizeof(T) + 63) / 64 * 64)));
      if (!data_) {
        std::fprintf(stderr, "bsft: no memory for %zu bytes of attention\n", n * sizeof(T));
        std::abort();
      }
    }
    return data_.get();
  }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T, Free> data_;
  size_t size_ = 0;
};

inline __m512bh as_bf16(__m512i x) { return reinterpret_cast<__m512bh&>(x); }

inline __m256i to_bf16(__m512 x) {
  __m256bh y = _mm512_cvtneps_pbh(x);
  return reinterpret_cast<__m256i&>(y);
}

inline void store(bf16* to, __m256i x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x); }

// Two rows of 16 bf16 numbers as 16 words of a packed operand.
inline __m512i interleave(__m256i even, __m256i odd) {
  return _mm512_or_si512(_mm512_cvtepu16_epi32(even), _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16));
}

// Calls f with the number of registers that n columns (a multiple of 16) fill, at most four, known to the compiler.
template <class F>
inline void with_width(int n, F&& f) {
  switch (n / kLanes) {
    case 1: return f(std::integral_constant<int, 1>{});
    case 2: return f(std::integral_constant<int, 2>{});
    case 3: return f(std::integral_constant<int, 3>{});
    default: return f(std::integral_constant<int, 4>{});
  }
}

// A product's six rows of V registers. All loops over them are unrolled, so that they stay in registers.
template <int V>
struct Sums {
  __m512 c[kRows][V];

  template <class F>
  inline void each(F&& f) {
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) f(r, v * kLanes, c[r][v]);
  }

  // Adds the product. The pair of row r for a step lies `a_step` bytes behind the one before it, the first at a[r].
  inline void multiply(const char* const (&a)[kRows], size_t a_step, const uint32_t* b, int n_steps) {
    size_t at = 0;
    for (int step = 0; step < n_steps; ++step, at += a_step, b += kWide) {
      __m512bh columns[V];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) columns[v] = as_bf16(_mm512_load_si512(b + v * kLanes));
#pragma GCC unroll 6
      for (int r = 0; r < kRows; ++r) {
        int32_t pair;
        std::memcpy(&pair, a[r] + at, sizeof pair);
        const __m512bh row = as_bf16(_mm512_set1_epi32(pair));
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) c[r][v] = _mm512_dpbf16_ps(c[r][v], row, columns[v]);
      }
    }
  }
};

// 2^x within 1e-6 for x below 2^24; 0 below -150, NaN where x is.
inline __m512 exp2_of(__m512 x) {
  x = _mm512_max_ps(_mm512_set1_ps(-200.f), x);
  const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 f = _mm512_sub_ps(x, whole);
  __m512 y = _mm512_set1_ps(1.5403530e-4f);  // Taylor: ln(2)^i / i!
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(1.3333558e-3f));
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(9.6181291e-3f));
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(5.5504109e-2f));
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(2.4022651e-1f));
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(6.9314718e-1f));
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(1.f));
  return _mm512_scalef_ps(y, whole);
}

// 16 x 16 words, rows to columns.
inline void transpose(__m512i (&x)[kLanes]) {
  __m512i y[kLanes];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    y[2 * i] = _mm512_unpacklo_epi32(x[2 * i], x[2 * i + 1]);
    y[2 * i + 1] = _mm512_unpackhi_epi32(x[2 * i], x[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
    x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
    x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]);
    x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    y[i] = _mm512_shuffle_i32x4(x[i], x[4 + i], 0x88);
    y[4 + i] = _mm512_shuffle_i32x4(x[i], x[4 + i], 0xdd);
    y[8 + i] = _mm512_shuffle_i32x4(x[8 + i], x[12 + i], 0x88);
    y[12 + i] = _mm512_shuffle_i32x4(x[8 + i], x[12 + i], 0xdd);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    x[i] = _mm512_shuffle_i32x4(y[i], y[8 + i], 0x88);
    x[8 + i] = _mm512_shuffle_i32x4(y[i], y[8 + i], 0xdd);
    x[4 + i] = _mm512_shuffle_i32x4(y[4 + i], y[12 + i], 0x88);
    x[12 + i] = _mm512_shuffle_i32x4(y[4 + i], y[12 + i], 0xdd);
  }
}

// Rows (a multiple of 16) as the columns of an operand whose steps run along their dimension: (rows / 64, dim / 2, 64).
inline void pack_columns(const bf16* const* rows, int n_rows, int dim, uint32_t* out) {
  const int n_steps = dim / 2;
  for (int row = 0; row < n_rows; row += kLanes) {
    uint32_t* tile = out + static_cast<size_t>(row / kWide) * n_steps * kWide + row % kWide;
    for (int step = 0; step < n_steps; step += kLanes) {
      const int n = std::min(kLanes, n_steps - step);
      const __mmask16 valid = static_cast<__mmask16>((1u << n) - 1);
      __m512i x[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) x[i] = _mm512_maskz_loadu_epi32(valid, rows[row + i] + 2 * step);
      transpose(x);
      for (int i = 0; i < n; ++i) _mm512_store_si512(tile + static_cast<size_t>(step + i) * kWide, x[i]);
    }
  }
}

// Rows (an even number) as pairs of steps of an operand: (dim / 64, rows / 2, 64).
inline void pack_pairs(const bf16* const* rows, int n_rows, int dim, uint32_t* out) {
  const size_t tile = static_cast<size_t>(n_rows / 2) * kWide;
  for (int row = 0; row < n_rows; row += 2)
    for (int column = 0; column < dim; column += kLanes) {
      const auto* even = reinterpret_cast<const __m256i*>(rows[row] + column);
      const auto* odd = reinterpret_cast<const __m256i*>(rows[row + 1] + column);
      uint32_t* to = out + column / kWide * tile + static_cast<size_t>(row / 2) * kWide + column % kWide;
      _mm512_store_si512(to, interleave(_mm256_loadu_si256(even), _mm256_loadu_si256(odd)));
    }
}

}  // namespace bsft
