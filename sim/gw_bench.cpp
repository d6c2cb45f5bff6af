// The memory behind gw_bench_pkg.sv. The cocotb test, which runs in the same process, attaches one
// buffer per port; the simulation then reads and writes whole streams without calling Python.

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "svdpi.h"

namespace {

struct Buffer {
    uint32_t* words;   // packed beats, `stride` words each
    uint64_t* stamps;  // clock cycle of the first beat of each vector
    size_t stride;
};

struct Failure {
    bool present;
    uint32_t port;
    uint32_t beat;
    uint64_t cycle;
    std::string rule;
};

constexpr size_t block_words = 16;  // gw_bench_pkg::Block / 32

std::vector<Buffer> buffers;
Failure failure;

// Words of a beat that lie in a block; the last block of a beat may be partial.
size_t words_in_block(const Buffer& buffer, size_t block) {
    const size_t left = buffer.stride - block * block_words;
    return left < block_words ? left : block_words;
}

}  // namespace

// Called by the test.

extern "C" void gw_bench_attach(uint32_t port, uint32_t* words, uint64_t* stamps, size_t stride) {
    if (buffers.size() <= port) buffers.resize(port + 1);
    buffers[port] = Buffer{words, stamps, stride};
}

extern "C" const char* gw_bench_failure(uint32_t* port, uint32_t* beat, uint64_t* cycle) {
    if (!failure.present) return nullptr;
    *port = failure.port;
    *beat = failure.beat;
    *cycle = failure.cycle;
    return failure.rule.c_str();
}

// Called by the simulation.

extern "C" void gw_bench_read(uint32_t port, uint32_t beat, uint32_t block, svBitVecVal* data) {
    const Buffer& buffer = buffers[port];
    std::memcpy(data, buffer.words + beat * buffer.stride + block * block_words,
                words_in_block(buffer, block) * sizeof(uint32_t));
}

extern "C" void gw_bench_write(uint32_t port, uint32_t beat, uint32_t block,
                               const svBitVecVal* data) {
    const Buffer& buffer = buffers[port];
    std::memcpy(buffer.words + beat * buffer.stride + block * block_words, data,
                words_in_block(buffer, block) * sizeof(uint32_t));
}

extern "C" void gw_bench_stamp(uint32_t port, uint32_t vector, unsigned long long cycle) {
    buffers[port].stamps[vector] = cycle;
}

extern "C" void gw_bench_fail(uint32_t port, uint32_t beat, unsigned long long cycle,
                              const char* rule) {
    if (failure.present) return;
    failure = Failure{true, port, beat, cycle, rule};
}
