// A shared object that knows nothing of Limulus.
int answer() { return 42; }
