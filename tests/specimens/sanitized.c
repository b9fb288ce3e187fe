/* Built with a sanitizer. */
int
main(int argc, char **argv)
{
	return argv[0][argc];
}
