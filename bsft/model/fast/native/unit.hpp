// What attention works on: a tree in blocks, and units of work, each one block of tokens and one key head.
//
// The queries of all heads that share the key head are a unit's rows: row r is token r / groups, head r % groups. Six
// rows meet all of their keys at once, so that scores stay in the cache, a softmax needs no second look, and keys behind
// the last that any of the six sees are left out.

#pragma once

#include "products.hpp"

extern "C" {

struct States {  // (tokens, heads, head_dim) in bf16; strides in elements
  bsft::bf16* data;
  int64_t token_stride;
  int64_t head_stride;
};

struct Block {
  int32_t start, stop;            // tokens
  int32_t first_range, n_ranges;  // of its keys
  int32_t n_keys;
  int32_t first_masked;  // a multiple of 16; the keys before it are seen by all
  int32_t mask_offset;   // of the first word of its mask
};

struct Tree {
  int32_t n_key_tokens, n_heads, n_kv, head_dim, n_blocks;
  const Block* blocks;
  const int32_t* ranges;     // (n, 2): start, stop
  const uint16_t* masks;     // for each token of a block, a bit for each key from first_masked on
  const int32_t* n_visible;  // for each token, one past the last key of its block that a token sees
};

}  // extern "C"

namespace bsft {

inline bf16* row_of(const States& s, int64_t token, int64_t head) {
  return s.data + token * s.token_stride + head * s.head_stride;
}

using Six = const bf16* [kRows];

// The rows and keys of a unit, and a thread's memory for them.
class Unit {
 public:
  const Tree* tree;
  const Block* block;
  int kv, groups, n_rows, dim;
  int padded;  // keys, a multiple of 16; padding is zero and never seen
  const bf16 **keys, **values;
  int32_t* key_tokens;
  uint32_t *key_columns, *key_pairs, *value_columns, *value_pairs;  // packed
  float *scores, *grad_scores;                                      // (6, padded)
  bf16* weights;                                                    // (6, padded)
  float* unread;                                                    // (dim,): where rows come from and go to that are none

  void enter(const Tree& t, int index, const States& key, const States& value) {
    tree = &t;
    kv = index / t.n_blocks;
    block = t.blocks + index % t.n_blocks;
    groups = t.n_heads / t.n_kv;
    dim = t.head_dim;
    n_rows = (block->stop - block->start) * groups;
    padded = round_up(block->n_keys, kLanes);
    keys = pointers_[0].get(padded);
    values = pointers_[1].get(padded);
    key_tokens = tokens_.get(padded);
    bf16* zero = zero_.get(dim);
    std::fill_n(zero, dim, bf16{0});
    int n = 0;
    for (int i = block->first_range; i < block->first_range + block->n_ranges; ++i)
      for (int32_t token = t.ranges[2 * i]; token < t.ranges[2 * i + 1]; ++token, ++n) {
        key_tokens[n] = token;
        keys[n] = row_of(key, token, kv);
        values[n] = row_of(value, token, kv);
      }
    for (; n < padded; ++n) keys[n] = values[n] = zero;
    const size_t size = static_cast<size_t>(round_up(padded, kWide)) * round_up(dim, kWide) / 2;
    key_columns = packed_[0].get(size);
    key_pairs = packed_[1].get(size);
    value_columns = packed_[2].get(size);
    value_pairs = packed_[3].get(size);
    scores = scores_[0].get(static_cast<size_t>(kRows) * padded);
    grad_scores = scores_[1].get(static_cast<size_t>(kRows) * padded);
    weights = weights_.get(static_cast<size_t>(kRows) * padded);
    unread = unread_.get(dim);
  }

  int token(int row) const { return block->start + row / groups; }
  int head(int row) const { return kv * groups + row % groups; }
  size_t statistic(int row) const { return static_cast<size_t>(token(row)) * tree->n_heads + head(row); }

  // Keys up to the last that one of six rows sees, a multiple of 16.
  int visible(int row) const {
    int n = 0;
    for (int t = token(row); t <= token(std::min(row + kRows, n_rows) - 1); ++t) n = std::max(n, tree->n_visible[t]);
    return round_up(n, kLanes);
  }

  // Which of 16 keys a row sees.
  __mmask16 seen(int row, int key) const {
    if (key < block->first_masked) return 0xffff;
    const int n_words = (padded - block->first_masked) / kLanes;
    return tree->masks[block->mask_offset + row / groups * n_words + (key - block->first_masked) / kLanes];
  }

  // Products of six rows and packed columns, (6, padded).
  void products(const Six& rows, const uint32_t* columns, int n_keys, float* out) const {
    const char* a[kRows];
    for (int r = 0; r < kRows; ++r) a[r] = reinterpret_cast<const char*>(rows[r]);
    for (int key = 0; key < n_keys; key += kWide)
      with_width(std::min(kWide, n_keys - key), [&](auto width) {
        Sums<width> sums{};
        sums.multiply(a, sizeof(uint32_t), columns + static_cast<size_t>(key) * (dim / 2), dim / 2);
        sums.each([&](int r, int v, __m512 c) { _mm512_store_ps(out + static_cast<size_t>(r) * padded + key + v, c); });
      });
  }

  // Sums of packed pairs of keys with six rows of weights; row r, times factors[r], goes to out[r] if that is any.
  void combine(const uint32_t* pairs, int n_keys, const float (&factors)[kRows], bf16* const (&out)[kRows]) const {
    const char* a[kRows];
    for (int r = 0; r < kRows; ++r) a[r] = reinterpret_cast<const char*>(weights + static_cast<size_t>(r) * padded);
    for (int d = 0; d < dim; d += kWide)
      with_width(std::min(kWide, dim - d), [&](auto width) {
        Sums<width> sums{};
        sums.multiply(a, sizeof(uint32_t), pairs + static_cast<size_t>(d) * (padded / 2), n_keys / 2);
        sums.each([&](int r, int v, __m512 c) {
          if (out[r]) store(out[r] + d + v, to_bf16(_mm512_mul_ps(c, _mm512_set1_ps(factors[r]))));
        });
      });
  }

 private:
  Memory<const bf16*> pointers_[2];
  Memory<int32_t> tokens_;
  Memory<bf16> zero_, weights_;
  Memory<uint32_t> packed_[4];
  Memory<float> scores_[2], unread_;
};

}  // namespace bsft
