/* libbcc's headers include it, but use nothing from it. */
