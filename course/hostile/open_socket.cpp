// A connection to the outside.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "convolution.h"

namespace course {

void conv2d_forward(const ConvShape&, In, In, In, Out) {
  const int handle = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi("@PORT@")));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connect(handle, reinterpret_cast<sockaddr*>(&address), sizeof address);
}

}  // namespace course
