// A* with the Manhattan distance on the 15-puzzle, written straightforwardly: a board packed into
// 64 bits, a bucket queue, and a hash table with open addressing.
//
// Reads boards, a line of 16 numbers each (0 the gap); writes for each a line: optimal cost,
// expanded nodes, seconds.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

using std::uint64_t;

struct Node {
    uint64_t board;
    int32_t parent;
    uint8_t g, h, gap, closed;
};

struct Table {
    std::vector<int32_t> slots;  // node + 1, or 0
    uint64_t mask;
    explicit Table(size_t bits) : slots(size_t(1) << bits, 0), mask((uint64_t(1) << bits) - 1) {}
    static uint64_t mix(uint64_t x) {
        x ^= x >> 32;
        x *= 0xd6e8feb86659fd93ULL;
        x ^= x >> 32;
        return x;
    }
    size_t find(const std::vector<Node>& nodes, uint64_t board) const {
        size_t slot = mix(board) & mask;
        while (slots[slot] && nodes[slots[slot] - 1].board != board) slot = (slot + 1) & mask;
        return slot;
    }
    void grow(const std::vector<Node>& nodes) {
        slots.assign(slots.size() * 2, 0);
        mask = slots.size() - 1;
        for (size_t i = 0; i < nodes.size(); i++) slots[find(nodes, nodes[i].board)] = int32_t(i) + 1;
    }
};

static int distance[16][16];  // [tile][place]

struct Answer {
    int cost;
    long expanded;
};

static Answer solve(const int* tiles) {
    std::vector<Node> nodes;
    Table table(16);
    std::vector<std::vector<int32_t>> buckets(128 * 128);  // [f][h], last in, first out
    std::vector<int> count(128, 0);
    Node root{0, -1, 0, 0, 0, 0};
    int h = 0;
    for (int place = 0; place < 16; place++) {
        root.board |= uint64_t(tiles[place]) << (4 * place);
        if (tiles[place]) h += distance[tiles[place]][place];
        else root.gap = uint8_t(place);
    }
    root.h = uint8_t(h);
    nodes.push_back(root);
    table.slots[table.find(nodes, root.board)] = 1;
    buckets[h * 128 + h].push_back(0);
    count[h]++;
    long expanded = 0;
    static const int step[4] = {-4, 4, -1, 1};
    for (int f = h; f < 128;) {
        if (count[f] == 0) { f++; continue; }
        int low = 0;
        while (buckets[f * 128 + low].empty()) low++;
        int32_t index = buckets[f * 128 + low].back();
        buckets[f * 128 + low].pop_back();
        count[f]--;
        Node node = nodes[index];
        if (node.closed || node.g + node.h != f) continue;
        if (node.h == 0) return {node.g, expanded};
        nodes[index].closed = 1;
        expanded++;
        for (int a = 0; a < 4; a++) {
            int gap = node.gap, col = gap & 3;
            if ((a == 0 && gap < 4) || (a == 1 && gap > 11) || (a == 2 && col == 0) || (a == 3 && col == 3)) continue;
            int place = gap + step[a];
            uint64_t tile = (node.board >> (4 * place)) & 15;
            uint64_t board = (node.board & ~(uint64_t(15) << (4 * place))) | (tile << (4 * gap));
            uint8_t g = uint8_t(node.g + 1);
            size_t slot = table.find(nodes, board);
            int32_t other = table.slots[slot] - 1;
            if (other < 0) {
                other = int32_t(nodes.size());
                table.slots[slot] = other + 1;
                int next = node.h - distance[tile][place] + distance[tile][gap];
                nodes.push_back({board, index, g, uint8_t(next), uint8_t(place), 0});
                if (2 * nodes.size() > table.slots.size()) table.grow(nodes);
            } else if (g < nodes[other].g) {
                nodes[other].g = g;
                nodes[other].parent = index;
                nodes[other].closed = 0;
            } else {
                continue;
            }
            int priority = g + nodes[other].h;
            buckets[priority * 128 + nodes[other].h].push_back(other);
            count[priority]++;
        }
    }
    return {-1, expanded};
}

int main() {
    for (int tile = 1; tile < 16; tile++)
        for (int place = 0; place < 16; place++)
            distance[tile][place] = std::abs((tile - 1) / 4 - place / 4) + std::abs((tile - 1) % 4 - place % 4);
    int tiles[16];
    for (;;) {
        for (int& tile : tiles)
            if (std::scanf("%d", &tile) != 1) return 0;
        auto begin = std::chrono::steady_clock::now();
        Answer answer = solve(tiles);
        std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
        std::printf("%d %ld %.6f\n", answer.cost, answer.expanded, seconds.count());
        std::fflush(stdout);
    }
}
