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
    uint64_t* stamps;  // clock cycles of the first and the last beat of each vector
    size_t stride;
};

struct Failure {
    bool present;
    uint32_t port;
    uint32_t beat;
    uint64_t cycle;
    std::string rule;
};

struct Fifo {
    std::string path;
    uint32_t depth;
    uint32_t highest;
    uint32_t level;
    bool valid, ready;
};

constexpr size_t block_words = 16;  // gw_bench_pkg::Block / 32

std::vector<Buffer> buffers;
std::vector<Fifo> fifos;
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

extern "C" void gw_bench_clear_levels() {
    for (Fifo& fifo : fifos) fifo.highest = 0;
}

extern "C" const char* gw_bench_fifo_state(uint32_t number, uint32_t* numbers) {
    if (number >= fifos.size()) return nullptr;
    const Fifo& fifo = fifos[number];
    const uint32_t values[] = {fifo.depth, fifo.highest, fifo.level, fifo.valid, fifo.ready};
    std::memcpy(numbers, values, sizeof(values));
    return fifo.path.c_str();
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

extern "C" void gw_bench_stamp(uint32_t port, uint32_t vector, svBit last,
                               unsigned long long cycle) {
    buffers[port].stamps[2 * vector + last] = cycle;
}

extern "C" void gw_bench_fail(uint32_t port, uint32_t beat, unsigned long long cycle,
                              const char* rule) {
    if (failure.present) return;
    failure = Failure{true, port, beat, cycle, rule};
}

extern "C" uint32_t gw_bench_fifo(const char* path, uint32_t depth) {
    fifos.push_back(Fifo{path, depth, 0, 0, false, false});
    return fifos.size() - 1;
}

extern "C" void gw_bench_level(uint32_t fifo, uint32_t level) {
    if (level > fifos[fifo].highest) fifos[fifo].highest = level;
}

extern "C" void gw_bench_state(uint32_t fifo, uint32_t level, svBit valid, svBit ready) {
    fifos[fifo].level = level;
    fifos[fifo].valid = valid;
    fifos[fifo].ready = ready;
}
