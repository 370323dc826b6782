// tests/malloc/user.cc: what C++ takes, it takes by malloc.
#include <cstddef>

extern "C" char *user_new(std::size_t size);
extern "C" void user_delete(char *p);

char *user_new(std::size_t size)
{
    return new char[size];
}

void user_delete(char *p)
{
    delete[] p;
}
