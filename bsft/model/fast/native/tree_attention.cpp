// Attention of a prefix tree in bf16, forward and backward; `attention.py` calls it.
//
// Source of the backward pass: Dao et al., FlashAttention, 2022, appendix B.

#include <cmath>
#include <tuple>
#include <vector>

#include "unit.hpp"

using namespace bsft;

namespace {

constexpr size_t kTileBytes = 192 << 10;  // of a backward tile's probabilities; their gradients take as much
constexpr size_t kMaxSumBytes = size_t(1) << 30;

// Turns a row's scores into weights that are not yet divided by their sum; returns 1 / sum and the log-sum in base 2.
std::pair<float, float> softmax(const Unit& u, int r, int row, int n_keys, float scaling) {
  const float* s = u.scores + static_cast<size_t>(r) * u.padded;
  bf16* w = u.weights + static_cast<size_t>(r) * u.padded;
  __m512 largest = _mm512_set1_ps(-INFINITY);
  for (int key = 0; key < n_keys; key += kLanes)
    largest = _mm512_mask_max_ps(largest, u.seen(row, key), largest, _mm512_load_ps(s + key));
  const float top = _mm512_reduce_max_ps(largest) * scaling * kLog2e;
  const __m512 factor = _mm512_set1_ps(scaling * kLog2e), shift = _mm512_set1_ps(top);
  __m512 sum = _mm512_setzero_ps();
  for (int key = 0; key < n_keys; key += kLanes) {
    const __m512 x = _mm512_fmsub_ps(_mm512_load_ps(s + key), factor, shift);
    const __m512 p = _mm512_maskz_mov_ps(u.seen(row, key), exp2_of(x));
    sum = _mm512_add_ps(sum, p);
    store(w + key, to_bf16(p));
  }
  const float total = _mm512_reduce_add_ps(sum);
  return {1.f / total, top + std::log2(total)};
}

void forward(Unit& u, const States& query, float scaling, const States& out, float* log_sums) {
  pack_columns(u.keys, u.padded, u.dim, u.key_columns);
  pack_pairs(u.values, u.padded, u.dim, u.value_pairs);
  for (int row = 0; row < u.n_rows; row += kRows) {
    Six rows;
    bf16* outs[kRows];
    float inverse[kRows];
    for (int r = 0; r < kRows; ++r) {
      const int i = std::min(row + r, u.n_rows - 1);  // the last rows are computed again where six are not left
      rows[r] = row_of(query, u.token(i), u.head(i));
      outs[r] = row + r < u.n_rows ? row_of(out, u.token(i), u.head(i)) : nullptr;
    }
    const int n_keys = u.visible(row);
    u.products(rows, u.key_columns, n_keys, u.scores);
    for (int r = 0; r < kRows; ++r) {
      const int i = std::min(row + r, u.n_rows - 1);
      std::tie(inverse[r], log_sums[u.statistic(i)]) = softmax(u, r, i, n_keys, scaling);
    }
    u.combine(u.value_pairs, n_keys, inverse, outs);
  }
}

// Some of a unit's rows in the backward pass, a multiple of six: probabilities and their gradients, packed in pairs of
// rows, are kept until the gradients of keys and values are summed.
class Tile {
 public:
  int first, n_rows;
  uint32_t *p_pairs, *ds_pairs;         // (rows / 2, padded): a key's word holds two rows of queries
  uint32_t *query_pairs, *grad_pairs;   // packed
  const bf16 **queries, **grads;
  std::vector<int> first_rows;  // for each six keys, the first row that may see them

  static int largest(const Unit& u) {
    return std::max<int>(1, kTileBytes / (sizeof(bf16) * kRows * u.padded)) * kRows;
  }

  void enter(const Unit& u, int first_row, const States& query, const States& grad_out) {
    first = first_row;
    n_rows = std::min(largest(u), round_up(u.n_rows - first, kRows));
    queries = pointers_[0].get(n_rows);
    grads = pointers_[1].get(n_rows);
    for (int i = 0; i < n_rows; ++i) {
      const int row = std::min(first + i, u.n_rows - 1);
      queries[i] = row_of(query, u.token(row), u.head(row));
      grads[i] = row_of(grad_out, u.token(row), u.head(row));
    }
    const size_t packed = static_cast<size_t>(n_rows / 2) * round_up(u.dim, kWide);
    query_pairs = packed_[0].get(packed);
    grad_pairs = packed_[1].get(packed);
    pack_pairs(queries, n_rows, u.dim, query_pairs);
    pack_pairs(grads, n_rows, u.dim, grad_pairs);
    p_pairs = packed_[2].get(static_cast<size_t>(n_rows / 2) * u.padded);
    ds_pairs = packed_[3].get(static_cast<size_t>(n_rows / 2) * u.padded);
    first_rows.assign((u.block->n_keys + kRows - 1) / kRows, n_rows);
    n_reached_ = 0;
  }

  // Of keys that no row before saw, the first row is this one. Rows behind it have zeros where they see less.
  void reach(int row, int n_keys) {
    for (; n_reached_ < int(first_rows.size()) && n_reached_ * kRows < n_keys; ++n_reached_)
      first_rows[n_reached_] = row;
  }

 private:
  Memory<const bf16*> pointers_[2];
  Memory<uint32_t> packed_[4];
  int n_reached_ = 0;
};

// Turns a row's scores into probabilities; returns the sum of probabilities times their gradients.
float probabilities(const Unit& u, int r, int row, int n_keys, float scaling, float log_sum) {
  float* s = u.scores + static_cast<size_t>(r) * u.padded;
  const float* dp = u.grad_scores + static_cast<size_t>(r) * u.padded;
  if (row >= u.n_rows) {
    std::fill_n(s, n_keys, 0.f);
    return 0.f;
  }
  const __m512 factor = _mm512_set1_ps(scaling * kLog2e), shift = _mm512_set1_ps(log_sum);
  __m512 sum = _mm512_setzero_ps();
  for (int key = 0; key < n_keys; key += kLanes) {
    const __m512 x = _mm512_fmsub_ps(_mm512_load_ps(s + key), factor, shift);
    const __m512 p = _mm512_maskz_mov_ps(u.seen(row, key), exp2_of(x));
    sum = _mm512_fmadd_ps(p, _mm512_load_ps(dp + key), sum);
    _mm512_store_ps(s + key, p);
  }
  return _mm512_reduce_add_ps(sum);
}

// Rows r and r + 1: gradients of the scores as weights, and both they and the probabilities as a pair of rows.
void keep_pair(const Unit& u, const Tile& tile, int row, int r, int n_keys, const float (&means)[kRows]) {
  const size_t pair = static_cast<size_t>((row + r) / 2) * u.padded, at = static_cast<size_t>(r) * u.padded;
  for (int key = 0; key < n_keys; key += kLanes) {
    __m256i p[2], ds[2];
    for (int i = 0; i < 2; ++i) {
      const size_t here = at + static_cast<size_t>(i) * u.padded + key;
      const __m512 x = _mm512_load_ps(u.scores + here);
      const __m512 dp = _mm512_sub_ps(_mm512_load_ps(u.grad_scores + here), _mm512_set1_ps(means[r + i]));
      p[i] = to_bf16(x);
      ds[i] = to_bf16(_mm512_mul_ps(x, dp));
      store(u.weights + here, ds[i]);
    }
    _mm512_store_si512(tile.p_pairs + pair + key, interleave(p[0], p[1]));
    _mm512_store_si512(tile.ds_pairs + pair + key, interleave(ds[0], ds[1]));
  }
  std::fill(tile.p_pairs + pair + n_keys, tile.p_pairs + pair + u.padded, 0u);
  std::fill(tile.ds_pairs + pair + n_keys, tile.ds_pairs + pair + u.padded, 0u);
}

// Adds to each key's row of `sums` what the tile's rows give it: weights, in pairs of rows, times packed pairs of rows.
void accumulate(const Unit& u, const Tile& tile, const uint32_t* weights, const uint32_t* pairs, float* sums) {
  for (int key = 0; key < u.block->n_keys; key += kRows) {
    const int first = tile.first_rows[key / kRows];
    const char* a[kRows];
    float* out[kRows];
    for (int r = 0; r < kRows; ++r) {
      const int k = std::min(key + r, u.block->n_keys - 1);
      a[r] = reinterpret_cast<const char*>(weights + static_cast<size_t>(first / 2) * u.padded + k);
      out[r] = k == key + r ? sums + static_cast<size_t>(u.key_tokens[k]) * u.dim : u.unread;
    }
    for (int d = 0; d < u.dim; d += kWide)
      with_width(std::min(kWide, u.dim - d), [&](auto width) {
        Sums<width> c;
        c.each([&](int r, int v, __m512& x) { x = _mm512_loadu_ps(out[r] + d + v); });
        const uint32_t* b = pairs + static_cast<size_t>(d) * (tile.n_rows / 2) + static_cast<size_t>(first / 2) * kWide;
        c.multiply(a, sizeof(uint32_t) * u.padded, b, (tile.n_rows - first) / 2);
        c.each([&](int r, int v, __m512 x) { _mm512_storeu_ps(out[r] + d + v, x); });
      });
  }
}

void backward(Unit& u, Tile& tile, const States& query, float scaling, const float* log_sums, const States& grad_out,
              const States& grad_query, float* key_sums, float* value_sums) {
  pack_columns(u.keys, u.padded, u.dim, u.key_columns);
  pack_columns(u.values, u.padded, u.dim, u.value_columns);
  pack_pairs(u.keys, u.padded, u.dim, u.key_pairs);
  float factors[kRows];
  std::fill_n(factors, kRows, scaling);
  for (int first = 0; first < u.n_rows; first += tile.n_rows) {
    tile.enter(u, first, query, grad_out);
    for (int row = 0; row < tile.n_rows; row += kRows) {
      const int n_keys = u.visible(first + row);
      tile.reach(row, n_keys);
      Six q, g;
      std::copy_n(tile.queries + row, kRows, q);
      std::copy_n(tile.grads + row, kRows, g);
      u.products(q, u.key_columns, n_keys, u.scores);
      u.products(g, u.value_columns, n_keys, u.grad_scores);
      float means[kRows];
      bf16* outs[kRows];
      for (int r = 0; r < kRows; ++r) {
        const int i = first + row + r;
        const bool padding = i >= u.n_rows;
        means[r] = probabilities(u, r, i, n_keys, scaling, padding ? 0.f : log_sums[u.statistic(i)]);
        outs[r] = padding ? nullptr : row_of(grad_query, u.token(i), u.head(i));
      }
      for (int r = 0; r < kRows; r += 2) keep_pair(u, tile, row, r, n_keys, means);
      u.combine(u.key_pairs, n_keys, factors, outs);
    }
    accumulate(u, tile, tile.p_pairs, tile.grad_pairs, value_sums);
    accumulate(u, tile, tile.ds_pairs, tile.query_pairs, key_sums);
  }
}

// Units in order of key heads, cut into shares of consecutive ones, of about equal cost: one for each thread, or fewer
// where their memory would be too large. In each share the gradients of a key head are summed in a slot, and slots are
// added in their order: with equally many threads the result is the same to the bit.
struct Shares {
  int n;
  std::vector<int> first_unit, first_slot, kv_of_slot;

  Shares(const Tree& t, int n_threads, size_t slot_size) {
    const int64_t most = int64_t(kMaxSumBytes / (2 * sizeof(float) * slot_size)) - t.n_kv + 1;
    n = int(std::clamp<int64_t>(most, 1, n_threads));
    first_unit.resize(n + 1);
    first_slot.resize(n);
    std::vector<double> cost(static_cast<size_t>(t.n_kv) * t.n_blocks + 1);  // of all units before
    for (size_t i = 0; i + 1 < cost.size(); ++i) {
      const Block& b = t.blocks[i % t.n_blocks];
      cost[i + 1] = cost[i] + double(b.stop - b.start) * b.n_keys;
    }
    for (int share = 0; share <= n; ++share) {
      const auto at = std::lower_bound(cost.begin(), cost.end(), cost.back() * share / n);
      first_unit[share] = int(std::min(at, cost.end() - 1) - cost.begin());
    }
    for (int share = 0; share < n; ++share) {
      first_slot[share] = int(kv_of_slot.size());
      for (int i = first_unit[share]; i < first_unit[share + 1]; ++i)
        if (i == first_unit[share] || i % t.n_blocks == 0) kv_of_slot.push_back(i / t.n_blocks);
    }
  }
};

// Adds the slots of each key head for one token.
void finish(const Tree& t, const Shares& shares, const float* sums, size_t slot_size, int token, float scaling,
            const States& grad_key, const States& grad_value) {
  for (int d = 0; d < t.head_dim; d += kLanes) {
    size_t slot = 0;
    for (int kv = 0; kv < t.n_kv; ++kv) {
      __m512 key = _mm512_setzero_ps(), value = _mm512_setzero_ps();
      for (; slot < shares.kv_of_slot.size() && shares.kv_of_slot[slot] == kv; ++slot) {
        const float* at = sums + 2 * slot_size * slot + static_cast<size_t>(token) * t.head_dim + d;
        key = _mm512_add_ps(key, _mm512_loadu_ps(at));
        value = _mm512_add_ps(value, _mm512_loadu_ps(at + slot_size));
      }
      store(row_of(grad_key, token, kv) + d, to_bf16(_mm512_mul_ps(key, _mm512_set1_ps(scaling))));
      store(row_of(grad_value, token, kv) + d, to_bf16(value));
    }
  }
}

// Kept for the life of a thread: memory that is given back and asked for again costs a page fault for each 4 KiB.
thread_local Unit t_unit;
thread_local Tile t_tile;
thread_local Memory<float> t_sums;

}  // namespace

extern "C" {

// log_sums: (tokens, heads), in base 2.
void bsft_attention(const Tree* t, States query, States key, States value, float scaling, States out, float* log_sums,
                    int n_threads) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(n_threads)
  for (int i = 0; i < t->n_kv * t->n_blocks; ++i) {
    t_unit.enter(*t, i, key, value);
    forward(t_unit, query, scaling, out, log_sums);
  }
}

void bsft_attention_backward(const Tree* t, States query, States key, States value, float scaling,
                             const float* log_sums, States grad_out, States grad_query, States grad_key,
                             States grad_value, int n_threads) {
  const size_t slot_size = static_cast<size_t>(t->n_key_tokens) * t->head_dim;  // numbers of a key head's gradient
  const Shares shares(*t, n_threads, slot_size);
  float* sums = t_sums.get(2 * slot_size * shares.kv_of_slot.size());
#pragma omp parallel for schedule(static, 1) num_threads(n_threads)
  for (int share = 0; share < shares.n; ++share) {
    int slot = shares.first_slot[share] - 1;
    for (int i = shares.first_unit[share]; i < shares.first_unit[share + 1]; ++i) {
      if (i == shares.first_unit[share] || i % t->n_blocks == 0)
        std::fill_n(sums + 2 * slot_size * ++slot, 2 * slot_size, 0.f);
      float* key_sums = sums + 2 * slot_size * slot;
      t_unit.enter(*t, i, key, value);
      backward(t_unit, t_tile, query, scaling, log_sums, grad_out, grad_query, key_sums, key_sums + slot_size);
    }
  }
#pragma omp parallel for schedule(static) num_threads(n_threads)
  for (int token = 0; token < t->n_key_tokens; ++token)
    finish(*t, shares, sums, slot_size, token, scaling, grad_key, grad_value);
}

}  // extern "C"
