"""DataRandom of lib/data/random.ts in Python, for the scripts that make expected values."""
import math

MASK = 0xFFFFFFFF


class DataRandom:
    def __init__(self, *key):
        self.key = key
        self.h = 0x9E3779B9
        for k in key:
            self.word(k & MASK)
            self.word(k >> 32 & MASK)
        self.a, self.b, self.c, self.d = self.word(1), self.word(2), self.word(3), 1
        for _ in range(12):
            self.uint32()

    def word(self, value):
        h = ((self.h ^ value) + 0x9E3779B9) & MASK
        h = ((h ^ (h >> 16)) * 0x85EBCA6B) & MASK
        h = ((h ^ (h >> 13)) * 0xC2B2AE35) & MASK
        self.h = h ^ (h >> 16)
        return self.h

    def uint32(self):
        t = (self.a + self.b + self.d) & MASK
        self.d = (self.d + 1) & MASK
        self.a = self.b ^ (self.b >> 9)
        self.b = (self.c + (self.c << 3)) & MASK
        self.c = (((self.c << 21) | (self.c >> 11)) + t) & MASK
        return t

    def uniform(self):
        return self.uint32() / 2**32

    def below(self, n):
        return math.floor(self.uniform() * n)

    def child(self, index):
        return type(self)(*self.key, index)
