// Asks Linux for something, on x86-64: the kernels of this folder that say @SYSTEM_CALL@ have it in
// that place (grader/verify_kernels.py), as a submission is one file.
long ask(long number, long a, long b, long c) {
  long answer;
  __asm__ volatile("syscall"
                   : "=a"(answer)
                   : "a"(number), "D"(a), "S"(b), "d"(c)
                   : "rcx", "r11", "memory");
  return answer;
}
