/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "kernel.h"

#define BODIES 5
#define STEPS  4000

struct planet {
    double x, y, z, vx, vy, vz, mass;
};

static const struct planet start[BODIES] = {
    {0, 0, 0, 0, 0, 0, 39.47},
    {4.84, -1.16, -0.10, 0.60, 2.81, -0.02, 0.037},
    {8.34, 4.12, -0.4, -1.01, 1.82, 0.008, 0.011},
    {12.89, -15.11, -0.22, 1.08, 0.86, -0.01, 0.0017},
    {15.37, -25.9, 0.17, 0.97, 0.59, -0.03, 0.002},
};

static struct planet planets[BODIES];

uint64_t kernel_n_body(void)
{
    uint64_t sum = 0;

    for (int i = 0; i < BODIES; i++)
        planets[i] = start[i];
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < BODIES; i++) {
            struct planet *a = &planets[i];

            for (int j = i + 1; j < BODIES; j++) {
                struct planet *b = &planets[j];
                double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
                double d2 = dx * dx + dy * dy + dz * dz;
                double mag = 0.01 / (d2 * __builtin_sqrt(d2));

                a->vx -= dx * b->mass * mag;
                a->vy -= dy * b->mass * mag;
                a->vz -= dz * b->mass * mag;
                b->vx += dx * a->mass * mag;
                b->vy += dy * a->mass * mag;
                b->vz += dz * a->mass * mag;
            }
        }
        for (int i = 0; i < BODIES; i++) {
            planets[i].x += 0.01 * planets[i].vx;
            planets[i].y += 0.01 * planets[i].vy;
            planets[i].z += 0.01 * planets[i].vz;
        }
    }
    for (int i = 0; i < BODIES; i++)
        sum = fold(sum, planets[i].x + planets[i].vy);
    return sum;
}
