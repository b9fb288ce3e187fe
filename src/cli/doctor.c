#include "cli/cli.h"
static int run(int argc, char **argv) { (void)argc; (void)argv; return 99; }
const struct command command_doctor = {"doctor", "tell what this machine allows, and what would help", run};
