/* tpcheck beside Bitcoin Core's own tests of its tracepoints. */
#ifndef TPCHECK_BENCH_AGAINST_H
#define TPCHECK_BENCH_AGAINST_H

/* Runs test/functional/interface_usdt_*.py in that folder, a build of Bitcoin Core with test/config.ini, and all
 * scenarios of tpcheck, in turn, on the same bitcoind, and prints the times and their ratios. 0; 77 if the tests cannot
 * run here, after printing why; 99 after another error. */
int against(const char *dir, const char *bitcoind, const char *tpcheck);

#endif
